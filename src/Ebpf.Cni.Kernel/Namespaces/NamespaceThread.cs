using System.Runtime.ExceptionServices;

namespace Ebpf.Cni.Kernel.Namespaces;

/// <summary>
/// A namespace belongs to a thread. A thread that changed its own must never serve other work, so each work gets a new
/// one, which ends with it.
/// </summary>
internal static class NamespaceThread
{
    public static T Run<T>(Action enter, Func<T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                enter();
                result = work();
            }
#pragma warning disable CA1031 // whatever it is, it is the caller's: it is thrown again there
            catch (Exception e)
#pragma warning restore CA1031
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = "netns",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}

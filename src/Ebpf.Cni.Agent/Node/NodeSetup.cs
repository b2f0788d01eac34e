namespace Ebpf.Cni.Agent.Node;

/// <summary>What the node itself needs to route for its pods. Looked at first, written only where different, and never set back: others may rely on it.</summary>
public sealed partial class NodeSetup(ILogger<NodeSetup> log)
{
    private static readonly string[] Switches = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];

    public void Run()
    {
        foreach (var name in Switches)
        {
            try
            {
                if (Sysctl.Ensure(name, "1"))
                    Log.Set(log, name);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Read-only /proc/sys in a container: the node may be set up by its owner all the same.
                Log.CannotSet(log, name, e.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3201, LogLevel.Information, "set net/{Name} to 1")]
        public static partial void Set(ILogger log, string name);

        [LoggerMessage(3202, LogLevel.Error, "net/{Name} is not 1 and cannot be set: pods will not reach other nodes ({Cause})")]
        public static partial void CannotSet(ILogger log, string name, string cause);
    }
}

using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel;

/// <summary>A system call, a libbpf call or a netlink request that the kernel refused.</summary>
public sealed class KernelException : Exception
{
    /// <param name="operation">What was tried, with its object: "attach tc program ebc_pod_ingress to interface 7".</param>
    /// <param name="errno">The positive error number.</param>
    /// <param name="detail">What else is known: the kernel's own words (netlink extended acknowledgement), a hint.</param>
    public KernelException(string operation, int errno, string? detail = null)
        : base(Describe(operation, errno, detail))
    {
        Operation = operation;
        Errno = errno;
        Detail = detail;
    }

    public string Operation { get; }

    /// <summary>Positive, see <see cref="Kernel.Errno"/>.</summary>
    public int Errno { get; }

    /// <summary>"ENOENT"; the number where it has no name.</summary>
    public string ErrnoName => Kernel.Errno.Name(Errno);

    public string? Detail { get; }

    /// <summary>Batch operations: how many elements were done before the failure, from the first one on.</summary>
    public int Written { get; init; }

    private static string Describe(string operation, int errno, string? detail)
    {
        var cause = $"{operation}: {Marshal.GetPInvokeErrorMessage(errno)} ({Kernel.Errno.Name(errno)})";
        return string.IsNullOrEmpty(detail) ? cause : $"{cause}: {detail}";
    }
}

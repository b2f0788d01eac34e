namespace Ebpf.Cni.Pods.Requests;

/// <summary>Hears of every CNI request that was answered. Thread-safe.</summary>
public interface ICniObserver
{
    /// <param name="command">ADD, DEL…; "?" where the request could not be read.</param>
    /// <param name="code">The error code of the answer; 0: success.</param>
    /// <param name="took">From the request's arrival to its answer.</param>
    void Handled(string command, int code, TimeSpan took);
}

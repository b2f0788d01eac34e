using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// The MTU of pods: --mtu, or what fits through the uplinks with the tunnel's headers around it. Set by the sync loop, which knows both;
/// followed by living pods. Thread-safe.
/// </summary>
public sealed class PodMtu(SyncOptions options) : IPodMtu
{
    /// <summary>IPv6 does not work below (RFC 8200, section 5): rather than that, tunnelled packets are fragmented underway.</summary>
    public const int Least = 1280;

    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _fitting;

    /// <summary>Of new pods.</summary>
    public int Value
    {
        get
        {
            if (options.Mtu > 0)
                return options.Mtu;
            lock (_lock)
                return _fitting > 0 ? _fitting : Fitting(
                    UplinkMtu.Of(NodeNetworkState.Read(), []), Encapsulation.Bytes(options.Routing, options.TunnelUnderlay));
        }
    }

    /// <summary>Completes at the first change of <see cref="Value"/> after this was asked for.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    /// <param name="uplink">What fits through the uplinks.</param>
    /// <param name="encapsulation">Bytes of the tunnel's headers; 0 where there are no tunnels.</param>
    /// <returns>What the tunnel's device can take.</returns>
    public int Set(int uplink, int encapsulation)
    {
        TaskCompletionSource changed;
        var fitting = Fitting(uplink, encapsulation);
        lock (_lock)
        {
            if (_fitting == fitting)
                return fitting;
            _fitting = fitting;
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.TrySetResult();
        return fitting;
    }

    private static int Fitting(int uplink, int encapsulation) => encapsulation == 0 ? uplink : Math.Max(Least, uplink - encapsulation);
}

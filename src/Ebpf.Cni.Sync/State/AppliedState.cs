using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.State;

/// <summary>
/// What the kernel was last brought to, for those who look at it from the side: what an id in the kernel's tables stands for.
/// </summary>
public sealed class AppliedState
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DesiredState _current = DesiredState.Empty;
    private PortsInUse _ports = PortsInUse.None;
    private (object? Of, IReadOnlyDictionary<uint, ServicePortName> Names) _names = (null, new Dictionary<uint, ServicePortName>());

    public DesiredState Current
    {
        get
        {
            lock (_lock)
                return _current;
        }
    }

    /// <summary>The state, and its NodePorts and hostPorts.</summary>
    public (DesiredState State, PortsInUse Ports) InUse
    {
        get
        {
            lock (_lock)
                return (_current, _ports);
        }
    }

    /// <summary>Completes at the next change.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    /// <summary>Service ports by their ids in the kernel's tables.</summary>
    public IReadOnlyDictionary<uint, ServicePortName> Names
    {
        get
        {
            lock (_lock)
            {
                if (!ReferenceEquals(_names.Of, _current.Ids.ByName))
                    _names = (_current.Ids.ByName, _current.Ids.ByName.ToDictionary(e => e.Value, e => e.Key));
                return _names.Names;
            }
        }
    }

    public void Set(DesiredState state)
    {
        lock (_lock)
        {
            if (ReferenceEquals(_current, state))
                return;
            _ports = _ports.After(_current, state);
            _current = state;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}

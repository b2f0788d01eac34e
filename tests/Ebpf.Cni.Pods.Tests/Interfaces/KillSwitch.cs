namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>The agent is dead: nothing that it would have done afterwards happens, undoing included.</summary>
internal sealed class AgentKilledException() : Exception("the agent was killed here");

/// <summary>Kills at one of the steps by which the agent changes kernel and disk, before or after the step's effect.</summary>
internal sealed class KillSwitch
{
    private readonly Lock _lock = new();
    private int _left = int.MaxValue;
    private bool _afterEffect;

    public bool Killed { get; private set; }

    /// <param name="steps">1: at the next one.</param>
    public void Arm(int steps, bool afterEffect)
    {
        lock (_lock)
            (_left, _afterEffect) = (steps, afterEffect);
    }

    public void Revive()
    {
        lock (_lock)
            (_left, Killed) = (int.MaxValue, false);
    }

    public T Step<T>(Func<T> effect)
    {
        bool now;
        lock (_lock)
        {
            if (Killed)
                throw new AgentKilledException();
            now = --_left == 0;
            Killed = now && !_afterEffect;
        }

        if (Killed)
            throw new AgentKilledException();
        var result = effect();
        if (!now)
            return result;
        lock (_lock)
            Killed = true;
        throw new AgentKilledException();
    }

    public void Step(Action effect) => Step(() =>
    {
        effect();
        return true;
    });
}

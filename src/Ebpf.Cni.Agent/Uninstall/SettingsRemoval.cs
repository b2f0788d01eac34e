using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Ports;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>Sets the node's kernel settings back: reserved ports, and what <see cref="NodeSetup"/> changed.</summary>
/// <param name="settings">Of the node.</param>
/// <param name="stateDirectory">The agent's, with the records of what it changed.</param>
/// <param name="report">Gets what was restored and what was not.</param>
internal sealed class SettingsRemoval(SysctlTree settings, string stateDirectory, RemovalReport report)
{
    /// <summary>
    /// Another plugin's network configuration; null: there is none. It needs forwarding, found it on, and would not notice that it goes.
    /// </summary>
    public string? OtherNetwork { get; init; }

    public void Run()
    {
        report.Try($"net/{ReservedPorts.Setting}", ReleasePorts);
        report.Try("settings below net/", Restore);
    }

    private void ReleasePorts()
    {
        var (removed, left) = new ReservedPorts(settings, Path.Combine(stateDirectory, ReservedPorts.FileName)).Release();
        if (removed.Length > 0)
            report.Restore($"net/{ReservedPorts.Setting} without {removed}");
        if (left.Length > 0)
            report.Leave($"{left} in net/{ReservedPorts.Setting}: another has written the list since the agent added them");
    }

    private void Restore()
    {
        var former = new FormerSettings(settings, Path.Combine(stateDirectory, FormerSettings.FileName), FormerSettings.CurrentBoot());
        // Without a record, nothing tells the agent's values from the node's own; only where an agent was it is worth a line.
        if (!former.Known && report.Removed.Count > 0)
            foreach (var (name, value) in NodeSetup.Settings.Where(s => settings.Is(s.Name, s.Value)))
                report.Leave($"net/{name} is {value}: what it was before the agent is not known");
        var (restored, left) = former.Restore(OtherNetwork is null ? null : NodeSetup.IsForwarding);
        foreach (var setting in restored)
            report.Restore($"net/{setting.Name} is {setting.Was} again");
        foreach (var setting in left)
            report.Leave(setting.Set == settings.Read(setting.Name)
                ? $"net/{setting.Name} is {setting.Set}, for {OtherNetwork}; it was {setting.Was} before the agent"
                : $"net/{setting.Name}: another has changed it since; it was {setting.Was} before the agent");
    }
}

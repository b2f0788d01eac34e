using System.Text.Json;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Pods.Installation;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>
/// Takes the plugin away from the container runtime. No other component's file was ever changed: where the agent's configuration stood
/// before another one, that one counts again once it is gone.
/// </summary>
internal sealed class CniRemoval(AgentOptions options, RemovalReport report)
{
    /// <summary>Deletes the agent's configuration, and says which one the runtime takes from then on.</summary>
    public void RemoveConfiguration()
    {
        var own = Path.Combine(options.CniConfDir, CniInstaller.ConfigurationName);
        report.Try(own, () =>
        {
            if (!Directory.Exists(options.CniConfDir))
                return;
            AtomicFile.RemoveLeftovers(options.CniConfDir, CniInstaller.ConfigurationName);
            var was = File.Exists(own);
            File.Delete(own);
            if (!was)
                return;
            report.Remove(own);
            if (ChainedConfiguration.Base(options.CniConfDir) is { } other)
                report.Restore($"{other} is the runtime's network configuration");
            else
                report.Leave($"{options.CniConfDir} without a configuration: the node is not ready until another plugin installs one");
        });
        report.Try(options.CniConfDir, WarnOfOthers);
    }

    /// <summary>
    /// Deletes the plugin. Runtimes that remember the configuration of a pod (CRI-O) call it to remove that pod: none may be left.
    /// </summary>
    public void RemovePlugin()
    {
        var plugin = PluginFile.Target(options.PluginPaths);
        report.Try(plugin, () =>
        {
            if (!Directory.Exists(options.CniBinDir))
                return;
            AtomicFile.RemoveLeftovers(options.CniBinDir, CniInstaller.PluginName);
            if (!File.Exists(plugin))
                return;
            File.Delete(plugin);
            report.Remove(plugin);
        });
    }

    /// <summary>An administrator may have put the plugin into a list by hand (docs/cni.md).</summary>
    private void WarnOfOthers()
    {
        foreach (var file in ChainedConfiguration.Files(options.CniConfDir).Where(f => f.Name != CniInstaller.ConfigurationName))
            if (NamesOurPlugin(file.FullName))
                report.Leave($"{file.FullName} names the plugin {CniInstaller.PluginName}: take it out, or no pod can be started by it");
    }

    private static bool NamesOurPlugin(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            return ChainedConfiguration.Plugins(document.RootElement).Any(ChainedConfiguration.IsOurs);
        }
        catch (JsonException)
        {
            return false; // no runtime reads it either
        }
    }
}

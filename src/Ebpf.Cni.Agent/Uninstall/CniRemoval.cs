using System.Text.Json;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Dataplane.Removal;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>
/// Takes the plugin away from the container runtime. No other component's file was ever changed: where the agent's configuration stood before
/// another one, that one counts again once it is gone.
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
                report.Leave($"{options.CniConfDir} without a network configuration: the node is not ready until another plugin installs one");
        });
        report.Try(options.CniConfDir, WarnOfOthers);
    }

    /// <summary>
    /// Deletes the plugin. It stays as long as pods live that were started with it: a runtime that remembers their configuration (CRI-O) calls it
    /// to remove them, and cannot without.
    /// </summary>
    /// <param name="pods">How many of them.</param>
    public void RemovePlugin(int pods)
    {
        var plugin = PluginFile.Target(options);
        report.Try(plugin, () =>
        {
            if (!Directory.Exists(options.CniBinDir))
                return;
            AtomicFile.RemoveLeftovers(options.CniBinDir, CniInstaller.PluginName);
            if (!File.Exists(plugin))
                return;
            if (pods > 0)
            {
                report.Leave($"{plugin}: the runtime may call it to remove the {pods} pods that used the network; repeat the command when they are gone");
                return;
            }

            File.Delete(plugin);
            report.Remove(plugin);
        });
    }

    /// <summary>An administrator may have put the plugin into a list by hand (docs/cni.md).</summary>
    private void WarnOfOthers()
    {
        foreach (var file in ChainedConfiguration.Files(options.CniConfDir).Where(f => f.Name != CniInstaller.ConfigurationName))
            if (NamesOurPlugin(file.FullName))
                report.Leave($"{file.FullName} names the plugin {CniInstaller.PluginName}: take it out there, or no pod can be started by that configuration");
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

namespace Ebpf.Cni.Pods.Installation;

/// <summary>Where the container runtime looks for plugins and configurations, and what is put there.</summary>
/// <param name="ConfDir">Directory of network configurations.</param>
/// <param name="BinDir">Directory of plugins.</param>
/// <param name="Plugin">The plugin's binary as the agent brings it along.</param>
/// <param name="Socket">The unix socket on which the plugin finds the agent.</param>
public sealed record PluginPaths(string ConfDir, string BinDir, string Plugin, string Socket);

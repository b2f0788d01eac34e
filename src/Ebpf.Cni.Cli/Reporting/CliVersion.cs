using System.Reflection;

namespace Ebpf.Cni.Cli.Reporting;

/// <summary>The release of this binary.</summary>
internal static class CliVersion
{
    public static string Text { get; } =
        typeof(CliVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}

namespace Ebpf.Cni.Protocol.Cni;

/// <summary>Where the plugin finds the agent.</summary>
public static class AgentSocket
{
    /// <summary>The directory where no other was chosen (--run-dir).</summary>
    public const string UsualDirectory = "/run/ebpf-cni";

    public const string FileName = "cni.sock";

    /// <summary>For configurations that do not say: those that people write by hand, and what is left of damaged ones.</summary>
    public const string Usual = UsualDirectory + "/" + FileName;
}

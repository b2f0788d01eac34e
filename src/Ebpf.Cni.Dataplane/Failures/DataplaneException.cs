namespace Ebpf.Cni.Dataplane.Failures;

/// <summary>The dataplane cannot do what was asked, for a reason that the operator can act on; the message says how.</summary>
public sealed class DataplaneException(string message, Exception? inner = null) : Exception(message, inner);

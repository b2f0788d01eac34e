namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// The connection to the API server cannot be set up: a missing or unreadable kubeconfig, certificate or token. The message names the file
/// or variable.
/// </summary>
public sealed class KubernetesConnectionException(string message, Exception? cause = null) : Exception(message, cause);

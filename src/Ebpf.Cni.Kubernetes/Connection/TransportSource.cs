using System.Security.Cryptography;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// Files that say what connections are made with, and that are rewritten while the agent runs: CAs and certificates are renewed.
/// </summary>
internal abstract class TransportSource
{
    /// <summary>The settings as the files have them now.</summary>
    /// <exception cref="KubernetesConnectionException">A file is missing, unreadable or makes no sense; perhaps only for now.</exception>
    public abstract TransportSettings Read();

    /// <summary>A digest of all that <see cref="Read"/> would read; null: it cannot be read now.</summary>
    public byte[]? Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            foreach (var file in Files())
            {
                var content = File.ReadAllBytes(file);
                hash.AppendData(BitConverter.GetBytes(content.Length));
                hash.AppendData(content);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or KubernetesConnectionException)
        {
            return null;
        }

        return hash.GetHashAndReset();
    }

    /// <summary>The files' paths.</summary>
    /// <exception cref="KubernetesConnectionException">A file that names the others cannot be used.</exception>
    protected abstract IEnumerable<string> Files();
}

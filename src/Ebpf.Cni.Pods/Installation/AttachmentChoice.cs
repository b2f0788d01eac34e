using System.Text.Json;

namespace Ebpf.Cni.Pods.Installation;

/// <summary>
/// --pod-attachment, decided for each new pod. Filters are quick and take the place of an interface's ingress qdisc; a plugin behind ours
/// may want it (bandwidth's egress limit), and one before ours may have filled it. Thread-safe.
/// </summary>
/// <param name="attachment">What the operator chose.</param>
/// <param name="chained">Another plugin makes the interfaces.</param>
/// <param name="confDir">The directory of network configurations.</param>
public sealed class AttachmentChoice(PodAttachment attachment, bool chained, string confDir)
{
    private readonly Lock _lock = new();
    private string _known = "";
    private bool _others;

    /// <summary>tcx links rather than clsact filters.</summary>
    public bool Links() => attachment switch
    {
        PodAttachment.Tcx => true,
        PodAttachment.Clsact => false,
        _ => chained || OthersFollow(),
    };

    /// <summary>
    /// A plugin is behind ours in one of the node's network configurations. A request does not name its configuration, so each counts.
    /// </summary>
    private bool OthersFollow()
    {
        try
        {
            var files = ChainedConfiguration.Files(confDir);
            var known = string.Join('\n', files.Select(f => $"{f.FullName} {f.Length} {f.LastWriteTimeUtc.Ticks}"));
            lock (_lock)
            {
                if (known != _known)
                    (_known, _others) = (known, files.Any(f => HasOneBehindUs(f.FullName)));
                return _others;
            }
        }
        catch (IOException)
        {
            // A file went between two looks: the next pod finds out.
            return true;
        }
    }

    private static bool HasOneBehindUs(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            var plugins = ChainedConfiguration.Plugins(document.RootElement);
            return plugins.Length > 0 && Array.FindIndex(plugins, ChainedConfiguration.IsOurs) is >= 0 and var at
                && at < plugins.Length - 1;
        }
        catch (JsonException)
        {
            return false; // no runtime reads it either
        }
        catch (UnauthorizedAccessException)
        {
            return true; // not readable for this process
        }
    }
}

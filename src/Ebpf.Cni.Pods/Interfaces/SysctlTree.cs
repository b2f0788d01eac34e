namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Settings below /proc/sys/net. They are those of the calling thread's network namespace, wherever the directory is mounted: a container,
/// whose own /proc/sys is read-only, has the node's elsewhere.
/// </summary>
/// <param name="root">/proc/sys/net, or where it is mounted.</param>
public sealed class SysctlTree(string root)
{
    /// <summary>Where a process in no container finds the settings.</summary>
    public const string Usual = "/proc/sys/net";

    /// <summary>This kernel has the setting.</summary>
    public bool Has(string name) => File.Exists(PathOf(name));

    /// <summary>The setting is there and has this value; false too where its device goes meanwhile.</summary>
    public bool Is(string name, string value) => Read(name) == value;

    /// <summary>The setting's value; null where this kernel has none, or its device goes meanwhile.</summary>
    public string? Read(string name)
    {
        try
        {
            return Has(name) ? File.ReadAllText(PathOf(name)).Trim() : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>A list, whole: the kernel answers the first read alone, with as much as that has room for.</summary>
    public string ReadList(string name)
    {
        const int room = 512 * 1024; // every second port is 190 KiB
        var text = new byte[room];
        using var file = new FileStream(PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        return System.Text.Encoding.ASCII.GetString(text, 0, file.Read(text)).Trim();
    }

    /// <summary>
    /// Writes a list without a look. The kernel takes no more than a page at once, and what is written behind the beginning is added to it.
    /// </summary>
    public void WriteList(string name, string list)
    {
        const int page = 4000;
        using var file = new FileStream(PathOf(name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        do
        {
            var end = list.Length <= page ? list.Length : list.LastIndexOf(',', page);
            // An empty write would change nothing; a newline empties the list.
            file.Write(System.Text.Encoding.ASCII.GetBytes(list[..end] + "\n"));
            list = end < list.Length ? list[(end + 1)..] : "";
        }
        while (list.Length > 0);
    }

    /// <summary>Sets a value where it is another; true if it was. A setting that this kernel does not have is left alone.</summary>
    /// <param name="name">With slashes, since interface names may have dots: ipv4/ip_forward.</param>
    /// <param name="value">As it reads back.</param>
    public bool Ensure(string name, string value)
    {
        var path = PathOf(name);
        if (!File.Exists(path) || File.ReadAllText(path).Trim() == value)
            return false;
        File.WriteAllText(path, value);
        return true;
    }

    /// <summary>The names of the directories in one: of the devices in ipv6/conf.</summary>
    public IEnumerable<string> Directories(string name) => Directory.GetDirectories(PathOf(name)).Select(d => Path.GetFileName(d)!);

    private string PathOf(string name) => Path.Combine(root, name);
}

using System.Text.Json.Serialization;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Sync.Node;

/// <summary>A setting that an agent changed.</summary>
/// <param name="Name">With slashes: ipv4/ip_forward.</param>
/// <param name="Was">Its value before the first change.</param>
/// <param name="Set">The agent's value.</param>
public sealed record FormerSetting(string Name, string Was, string Set)
{
    /// <summary>Settings that the kernel changed along with it: name → value before.</summary>
    public IReadOnlyDictionary<string, string> Along { get; init; } = new Dictionary<string, string>();
}

/// <summary>The file's content.</summary>
/// <param name="Boot">Id of the boot that it is about: a reboot makes all settings what the distribution says.</param>
/// <param name="Settings">In the order of the changes.</param>
public sealed record FormerSettingsRecord(string Boot, IReadOnlyList<FormerSetting> Settings);

/// <summary>
/// Values of the node's settings before an agent changed them, kept in the state directory: uninstalling restores them. Thread-safe.
/// </summary>
/// <param name="settings">Of the node.</param>
/// <param name="file">Where the values are kept.</param>
/// <param name="boot">Id of this boot; values of another do not count.</param>
public sealed class FormerSettings(SysctlTree settings, string file, string boot)
{
    public const string FileName = "former-settings.json";

    private readonly Lock _lock = new();

    /// <summary>The kernel's id of this boot (random(4)).</summary>
    public static string CurrentBoot() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>Settings that change with ipv4/ip_forward (inet_forward_change in net/ipv4/devinet.c).</summary>
    public static IEnumerable<string> ChangedWithForwardingIPv4(SysctlTree settings) =>
        ["ipv4/conf/all/accept_redirects", .. ForwardingOf(settings, "ipv4/conf")];

    /// <summary>Settings that change with ipv6/conf/all/forwarding (addrconf_fixup_forwarding in net/ipv6/addrconf.c).</summary>
    public static IEnumerable<string> ChangedWithForwardingIPv6(SysctlTree settings) => ForwardingOf(settings, "ipv6/conf");

    /// <summary>Values are known of this boot.</summary>
    public bool Known
    {
        get
        {
            lock (_lock)
                return Read(out _) is not null;
        }
    }

    /// <summary>Keeps a value that is about to be changed. The first value of a setting counts: a later one may be the agent's.</summary>
    /// <param name="setting">Without <see cref="FormerSetting.Along"/>.</param>
    /// <param name="along">Settings that the kernel will change with it.</param>
    /// <exception cref="IOException">The file cannot be read or written; it stays as it is.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public void Record(FormerSetting setting, IEnumerable<string> along)
    {
        ArgumentNullException.ThrowIfNull(setting);
        lock (_lock)
        {
            var record = Read(out var cause) ?? new FormerSettingsRecord(boot, []);
            if (cause is not null && File.Exists(file))
                throw new IOException($"{file} cannot be read: {cause}"); // former values are worth more than this one
            if (record.Settings.Any(s => s.Name == setting.Name))
                return;
            var before = along.Where(n => n != setting.Name).Select(n => (Name: n, Value: settings.Read(n)))
                .Where(a => a.Value is not null);
            var kept = setting with { Along = before.ToDictionary(a => a.Name, a => a.Value!) };
            StateFile.Write(file, record with { Settings = [.. record.Settings, kept] }, FormerSettingsJson.Default.FormerSettingsRecord);
        }
    }

    /// <summary>
    /// Restores values, the last change first. A setting that has another value than the agent's by now belongs to another
    /// program, and stays. One whose device is gone is skipped.
    /// </summary>
    /// <param name="except">Whether a setting of this name stays as it is; null: none does.</param>
    /// <returns>What was restored; what was not, being excepted or changed by another since.</returns>
    /// <exception cref="IOException">
    /// A setting cannot be written; those before it are restored, and it is named with its former value.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">The same, read-only.</exception>
    public (IReadOnlyList<FormerSetting> Restored, IReadOnlyList<FormerSetting> Left) Restore(Func<string, bool>? except = null)
    {
        lock (_lock)
        {
            var (restored, left, refused) = (new List<FormerSetting>(), new List<FormerSetting>(), new List<string>());
            foreach (var setting in (Read(out _)?.Settings ?? []).Reverse())
            {
                var now = settings.Read(setting.Name);
                if (now == setting.Set && except?.Invoke(setting.Name) == true)
                {
                    left.Add(setting);
                }
                else if (now == setting.Set)
                {
                    settings.Ensure(setting.Name, setting.Was);
                    foreach (var (name, value) in setting.Along)
                        Ensure(name, value, refused);
                    restored.Add(setting);
                }
                else if (now is not null && now != setting.Was)
                {
                    left.Add(setting);
                }
            }

            return refused.Count == 0 ? (restored, left) : throw new IOException(string.Join("; ", refused));
        }
    }

    /// <summary>
    /// The next setting is written all the same: a repetition finds the first one restored, and would not come here again.
    /// </summary>
    private void Ensure(string name, string value, List<string> refused)
    {
        try
        {
            settings.Ensure(name, value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            refused.Add($"net/{name} was {value}: {e.Message}");
        }
    }

    /// <returns>Null without a record of this boot.</returns>
    private FormerSettingsRecord? Read(out string? cause) =>
        StateFile.Read(file, FormerSettingsJson.Default.FormerSettingsRecord, out cause) is { } record && record.Boot == boot
            ? record : null;

    private static IEnumerable<string> ForwardingOf(SysctlTree settings, string directory) =>
        settings.Directories(directory).Where(d => !d.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal))
            .Select(d => $"{directory}/{d}/forwarding");
}

[JsonSourceGenerationOptions(
    WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FormerSettingsRecord))]
internal sealed partial class FormerSettingsJson : JsonSerializerContext;

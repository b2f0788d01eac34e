using System.Globalization;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>A process beyond doubt: ids are used again, but not with the same start time.</summary>
/// <param name="StartTime">Ticks since boot, field 22 of /proc/PID/stat.</param>
internal sealed record ProcessIdentity(int Id, ulong StartTime)
{
    public static ProcessIdentity OfThisProcess() =>
        Of(Environment.ProcessId) ?? throw new InvalidOperationException("/proc is not mounted");

    /// <summary>Null if there is no such process, or only its exit code is left.</summary>
    public static ProcessIdentity? Of(int id)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            // the second field is the name in brackets, which may itself hold spaces and brackets
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : new ProcessIdentity(id, ulong.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    public bool IsAlive => Of(Id) == this;
}

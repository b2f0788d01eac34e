using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>A service that was refused as a whole because a table has no room; what it had before stays in force.</summary>
/// <param name="Table">The map's name.</param>
/// <param name="Option">The name of the agent's option that sizes it.</param>
/// <param name="Size">Its size now, in entries.</param>
/// <param name="Needed">New entries that the service asked for.</param>
/// <param name="Service">The refused Service.</param>
public sealed record TableFull(string Table, string Option, uint Size, uint Needed, ObjectName Service)
{
    public string Message =>
        $"{Service}: table {Table} has no room for {Needed} more entries (size {Size}); its former state stays in force. "
        + $"Raise the {Option} option.";

    public override string ToString() => Message;
}

namespace Ebpf.Cni.Cli.Text;

/// <summary>A table of an answer's items.</summary>
/// <param name="Headings">As <see cref="Columns"/> takes them.</param>
/// <param name="Rows">A row for each item.</param>
/// <param name="Total">Items that were asked for; more than there are rows if there is a limit.</param>
/// <param name="Things">Name of the items.</param>
internal sealed record Listing<T>(string[] Headings, Func<T, IReadOnlyList<string[]>> Rows, Func<T, int> Total, string Things)
    where T : class
{
    /// <summary>Instead of a table without rows.</summary>
    public required string Empty { get; init; }

    /// <summary>A sentence below the table.</summary>
    public Func<T, string>? Footer { get; init; }

    /// <summary>The heading of a column that differs between nodes by its nature: a table of several nodes leaves it out.</summary>
    public string? NodesOwn { get; init; }

    public string Text(T answer)
    {
        var rows = Rows(answer);
        var table = Total(answer) == 0 ? Empty + "\n" : Table(Headings, rows, Total(answer) - rows.Count);
        return table + (Footer is null ? "" : Footer(answer) + "\n");
    }

    /// <param name="headings">These, or more.</param>
    /// <param name="rows">A cell for each heading.</param>
    /// <param name="more">Items beyond the limit.</param>
    public string Table(string[] headings, IReadOnlyList<string[]> rows, int more)
    {
        var columns = new Columns(headings);
        foreach (var row in rows)
            columns.Add(row);
        return columns.Render() + (more > 0 ? $"... and {more} more {Things} (--limit)\n" : "");
    }
}

namespace Ebpf.Cni.Cli.Reporting;

/// <summary>Where a run writes. Nothing is coloured: what is printed goes into tickets.</summary>
/// <param name="Out">What was asked for.</param>
/// <param name="Error">Why there is none of it.</param>
/// <param name="Width">Columns to wrap sentences at; tables are as wide as they are.</param>
public sealed record Terminal(TextWriter Out, TextWriter Error, int Width)
{
    public const int WidthDefault = 110;
    public const int WidthLeast = 60;
}

using System.CommandLine.Parsing;
using System.Globalization;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>A time on the command line: seconds, with a fraction or without.</summary>
internal static class Seconds
{
    private const double Most = 3600;

    public static TimeSpan? Of(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds is > 0 and <= Most)
            return TimeSpan.FromSeconds(seconds);
        result.AddError($"{(result.Parent as OptionResult)?.Option.Name}: '{text}' is not a number of seconds");
        return null;
    }
}

using System.Globalization;
using Ebpf.Cni.Agent.Options;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Display;

namespace Ebpf.Cni.Agent.Hosting;

/// <summary>Adds to each warning and error how the settings that it names are set.</summary>
public sealed class OptionHintEnricher : ILogEventEnricher
{
    /// <summary>The property; absent where the line names no setting.</summary>
    public const string Property = "OptionHint";

    private readonly MessageTemplateTextFormatter _message = new("{Message:lj}", CultureInfo.InvariantCulture);

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        ArgumentNullException.ThrowIfNull(logEvent);
        if (logEvent.Level < LogEventLevel.Warning)
            return;
        using var message = new StringWriter(CultureInfo.InvariantCulture);
        _message.Format(logEvent, message);
        var hint = OptionHint.Of(message.ToString());
        if (hint.Length > 0)
            logEvent.AddPropertyIfAbsent(new LogEventProperty(Property, new ScalarValue(hint)));
    }
}

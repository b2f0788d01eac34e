using System.Globalization;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Protocol.Observe;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Display;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>
/// The last warnings and errors of the log, for readers of the status. A line that is repeated is counted, so that one cause
/// that lasts does not push the others out. Thread-safe.
/// </summary>
public sealed class RecentErrors(int most = RecentErrors.Most) : ILogEventSink
{
    public const int Most = 20;

    /// <summary>An exception's text may be long.</summary>
    private const int LongestMessage = 1000;

    private readonly Lock _lock = new();
    private readonly MessageTemplateTextFormatter _text =
        new($"{{Message:lj}}{{{OptionHintEnricher.Property}:l}}", CultureInfo.InvariantCulture);
    private readonly LinkedList<LoggedError> _lines = [];

    /// <summary>Newest first.</summary>
    public IReadOnlyList<LoggedError> All
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    public void Emit(LogEvent logEvent)
    {
        ArgumentNullException.ThrowIfNull(logEvent);
        if (logEvent.Level < LogEventLevel.Warning)
            return;
        var message = Text(logEvent);
        var level = logEvent.Level.ToString();
        lock (_lock)
        {
            var count = 1;
            for (var line = _lines.First; line is not null; line = line.Next)
            {
                if (line.Value.Level != level || line.Value.Message != message)
                    continue;
                count += line.Value.Count;
                _lines.Remove(line);
                break;
            }

            _lines.AddFirst(new LoggedError(logEvent.Timestamp.ToUniversalTime(), level, message, count));
            if (_lines.Count > most)
                _lines.RemoveLast();
        }
    }

    private string Text(LogEvent logEvent)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        _text.Format(logEvent, writer);
        var text = writer.ToString();
        if (logEvent.Exception is { } e)
            text += $" ({e.GetType().Name}: {e.Message})";
        return text.Length <= LongestMessage ? text : text[..LongestMessage] + "…";
    }
}

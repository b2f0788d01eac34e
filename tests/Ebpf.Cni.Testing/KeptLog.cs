using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Testing;

/// <summary>Keeps what is logged, by event id.</summary>
public sealed class KeptLog<T> : ILogger<T>
{
    public List<(int Id, string Message)> Lines { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) =>
        Lines.Add((eventId.Id, formatter(state, exception)));
}

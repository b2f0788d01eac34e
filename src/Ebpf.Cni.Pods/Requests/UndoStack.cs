namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// What takes back the steps of an operation, last step first. A step's undo is entered before the step: a step that fails half done is
/// taken back too, so every undo bears that nothing is there.
/// </summary>
internal sealed partial class UndoStack(ILogger log, string operation)
{
    private readonly Stack<(string What, Action Undo)> _steps = [];

    public void Push(string what, Action undo) => _steps.Push((what, undo));

    /// <summary>
    /// Takes back everything. After a failed undo the earlier ones are not tried: the first step's record stays, and with it what a
    /// repeated DEL or the next start needs to finish the work. False then.
    /// </summary>
    public bool Run()
    {
        while (_steps.TryPop(out var step))
        {
            try
            {
                step.Undo();
            }
            catch (Exception e)
            {
                Log.UndoFailed(log, operation, step.What, e);
                return false;
            }
        }

        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(3111, LogLevel.Error,
            "{Operation} failed and its rollback failed at '{Step}'; DEL or the next agent start completes it")]
        public static partial void UndoFailed(ILogger log, string operation, string step, Exception e);
    }
}

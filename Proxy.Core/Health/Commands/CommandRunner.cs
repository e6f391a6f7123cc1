using System.ComponentModel;
using System.Diagnostics;

namespace TorBalancer.Health.Commands;

/// <summary>How a command ended.</summary>
/// <param name="ExitCode">Null: it could not be started, or was ended at its time limit.</param>
/// <param name="Output">Its last lines, of both streams; or why there is no exit code.</param>
internal sealed record CommandResult(int? ExitCode, string Output);

/// <summary>Runs the operator's command lines by /bin/sh.</summary>
internal sealed class CommandRunner(TimeProvider time)
{
    private const int LinesKept = 5;
    private const int LineLength = 200;

    /// <summary>Waits for its end, at most <paramref name="limit"/>; whatever is then left of it is killed.</summary>
    public async Task<CommandResult> RunAsync(
        string command, IEnumerable<KeyValuePair<string, string>> environment, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", command },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var timer = new CancellationTokenSource(limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var tail = new Queue<string>();
            var output = ReadAsync(process.StandardOutput, tail, both.Token);
            var errors = ReadAsync(process.StandardError, tail, both.Token);
            bool ended = await EndsAsync(process, both.Token);
            if (!ended)
                process.Kill(entireProcessTree: true);
            await Task.WhenAll(output, errors);
            cancellationToken.ThrowIfCancellationRequested();
            string text;
            lock (tail)
                text = string.Join(" | ", tail);
            return ended
                ? new CommandResult(process.ExitCode, text)
                : new CommandResult(null, $"killed after {limit.TotalSeconds:0.###} s; {text}");
        }
        catch (Win32Exception failure)
        {
            return new CommandResult(null, failure.Message);
        }
    }

    private static async Task<bool> EndsAsync(Process process, CancellationToken cancellationToken)
    {
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            return process.HasExited;
        }
    }

    private static async Task ReadAsync(StreamReader reader, Queue<string> tail, CancellationToken cancellationToken)
    {
        try
        {
            while (await reader.ReadLineAsync(cancellationToken) is { } line)
            {
                lock (tail)
                {
                    if (tail.Count == LinesKept)
                        tail.Dequeue();
                    tail.Enqueue(Printable(line));
                }
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>Goes into the log: no control characters, no endless lines.</summary>
    private static string Printable(string line)
    {
        if (line.Length > LineLength)
            line = line[..LineLength] + "…";
        return string.Create(line.Length, line, static (output, text) =>
        {
            for (int i = 0; i < output.Length; i++)
                output[i] = char.IsControl(text[i]) ? '?' : text[i];
        });
    }
}

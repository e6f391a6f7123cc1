namespace TorBalancer.Daemon.Terminal;

/// <summary>A password from standard input: asked for at a terminal, where it is not shown, or a line of what is piped in.</summary>
internal static class SecretInput
{
    private const int MaxBytes = 4096;

    /// <summary>True when somebody can be asked.</summary>
    public static bool IsTerminal => OperatingSystem.IsLinux() && TerminalCalls.IsTerminal(TerminalCalls.Input);

    /// <summary>A line's bytes without its end; null: there was none. Whatever ends the wait, the terminal is left as it was.</summary>
    /// <param name="prompt">Shown at a terminal only, with a colon behind it.</param>
    /// <param name="error">Where it is shown; what the command prints may be read by a program.</param>
    public static async Task<byte[]?> ReadAsync(string prompt, TextWriter error, CancellationToken cancellationToken)
    {
        byte[]? settings = IsTerminal ? TerminalCalls.Settings(TerminalCalls.Input) : null;
        if (settings is null)
            return await Task.Run(ReadLine, cancellationToken).WaitAsync(cancellationToken);

        // Only then is Console ready, which puts a terminal back at the end as it was when it was needed first.
        await error.WriteAsync(prompt);
        await error.FlushAsync(cancellationToken);
        TerminalCalls.HideKeys(TerminalCalls.Input, settings);
        try
        {
            await error.WriteAsync(": ");
            await error.FlushAsync(cancellationToken);

            // A read that nobody answers blocks its thread until the process ends; who is told to stop does not wait for it.
            return await Task.Run(ReadLine, cancellationToken).WaitAsync(cancellationToken);
        }
        finally
        {
            TerminalCalls.Restore(TerminalCalls.Input, settings);
            await error.WriteLineAsync();
        }
    }

    /// <summary>Byte by byte: what stands behind the line is for whoever reads next.</summary>
    private static byte[]? ReadLine()
    {
        var line = new List<byte>();
        Span<byte> one = stackalloc byte[1];
        while (TerminalCalls.Read(TerminalCalls.Input, one) == 1)
        {
            if (one[0] == (byte)'\n')
            {
                if (line is [.., (byte)'\r'])
                    line.RemoveAt(line.Count - 1);
                return [.. line];
            }

            line.Add(one[0]);
            if (line.Count > MaxBytes)
                return [.. line];
        }

        return line.Count > 0 ? [.. line] : null;
    }
}

namespace TorBalancer.Daemon.Commands;

/// <summary>What the daemon says when it cannot start.</summary>
internal static class StandardError
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Writes lines, in a bounded time for all of them. Nobody may be reading (a full pipe); the exit code says it too.</summary>
    public static async Task TellAsync(TextWriter error, IEnumerable<string> lines)
    {
        try
        {
            await Task.Run(() => error.Write(string.Concat(lines.Select(line => line + error.NewLine)))).WaitAsync(Limit);
        }
        catch (Exception failure) when (failure is IOException or TimeoutException)
        {
        }
    }
}

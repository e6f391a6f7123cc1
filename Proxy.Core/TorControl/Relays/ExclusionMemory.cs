using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Interop;

namespace TorBalancer.TorControl.Relays;

/// <summary>What ExcludeExitNodes was before we changed it, and what we made of it.</summary>
/// <param name="OperatorValue">To be put back.</param>
/// <param name="Ours">Values that only we can have set; the last one was in force, or was about to be.</param>
internal sealed record ExclusionRecord(string OperatorValue, IReadOnlyList<string> Ours);

/// <summary>
/// Remembers for one worker, over a death of this process, what to put back: written before each change of tor's option,
/// taken away when the option is as the operator had it.
/// </summary>
/// <param name="path">The file; null: nothing is remembered.</param>
internal sealed partial class ExclusionMemory(string? path, string workerId, ILogger logger)
{
    // operator {de}
    // set {de},$0123456789ABCDEF0123456789ABCDEF01234567
    private const string OperatorWord = "operator ", SetWord = "set ";

    public static ExclusionMemory None { get; } = new(null, "", Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    /// <summary>The memory of that worker in a directory; another control port under the same id is another worker.</summary>
    public static ExclusionMemory In(string? directory, string workerId, string controlAddress, ILogger logger)
    {
        if (directory is null)
            return None;
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{workerId.ToLowerInvariant()}\n{controlAddress}"));
        return new ExclusionMemory(Path.Combine(directory, $"{Convert.ToHexStringLower(hash.AsSpan(0, 8))}.txt"), workerId, logger);
    }

    public ExclusionRecord? Read() => Try(() =>
    {
        if (path is null || !File.Exists(path))
            return null;

        // What stands there is set in tor: it must be our own word.
        SharedFolders.Check(path);
        if (!FileCalls.IsOurs(Path.GetDirectoryName(path)!))
            throw new UntrustedPathException($"{Path.GetDirectoryName(path)} belongs to another user");
        string? before = null;
        var ours = new List<string>();
        foreach (string line in File.ReadLines(path))
        {
            if (line.StartsWith(OperatorWord, StringComparison.Ordinal))
                before = line[OperatorWord.Length..];
            else if (line.StartsWith(SetWord, StringComparison.Ordinal))
                ours.Add(line[SetWord.Length..]);
        }

        return before is null ? null : new ExclusionRecord(before, ours);
    });

    /// <summary>Replaces the file whole: a death in the middle leaves the old one.</summary>
    public void Write(ExclusionRecord record) => Try<object>(() =>
    {
        if (path is null)
            return null;
        PrivateDirectory.Make(Path.GetDirectoryName(path)!, PrivateDirectoryOptions.MayBeLink | PrivateDirectoryOptions.MayBeOpen);
        string next = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(next, options))
            file.Write(
                Encoding.UTF8.GetBytes(
                    $"{OperatorWord}{record.OperatorValue}\n{string.Concat(record.Ours.Select(static value => $"{SetWord}{value}\n"))}"));
        File.Move(next, path, overwrite: true);
        return null;
    });

    public void Forget() => Try<object>(() =>
    {
        if (path is not null && File.Exists(path))
            File.Delete(path);
        return null;
    });

    /// <summary>Without memory everything works but the putting back after a kill.</summary>
    private T? Try<T>(Func<T?> action)
        where T : class
    {
        try
        {
            return action();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.NotRemembered(logger, workerId, failure.Message);
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.ExclusionNotRemembered, LogLevel.Warning,
            "Worker {Worker}: what its ExcludeExitNodes was before cannot be kept for the case that this daemon is killed: {Problem}")]
        public static partial void NotRemembered(ILogger logger, string worker, string problem);
    }
}

using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Interop;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Publishing;

/// <summary>
/// Which instances are drained, over a restart of the publisher. An instance is known by its address and its service's: under another
/// name it is the same one, and with another address it is not. For one caller at a time.
/// <code>
/// # What "torbalancer onion drain" took out …                          lines that begin with # mean nothing
/// SERVICE.onion INSTANCE.onion 2026-11-29T15:40:55Z shop/node1         the name is for people
/// </code>
/// </summary>
/// <param name="path">The file; its directory is made, for this user alone, when something is drained.</param>
internal sealed partial class DrainMemory(string path, ILogger logger)
{
    private const string Heading =
        "# What \"torbalancer onion drain\" took out; the publisher reads it when it starts, and \"onion enable\" takes a line away.";

    /// <summary>Behind the name of a file that could not be read, when it makes room for the next.</summary>
    private const string Unread = ".unread";

    private const string TimeFormat = "yyyy-MM-ddTHH:mm:ssZ";

    // Nobody has so many instances: what is longer was not written here.
    private const int LongestFile = 1 << 20;

    private bool _exists;

    // There is a file, and what it says is not known: it is not written over.
    private bool _isUnread;

    /// <summary>Why the next start will not know what is drained now; null: it will.</summary>
    public string? Problem { get; private set; }

    /// <summary>
    /// Drains what was drained when the last publisher ended. A file that cannot be read or believed is named in the log, and nothing is
    /// drained for it.
    /// </summary>
    public void Restore(PublisherState state)
    {
        try
        {
            if (!File.Exists(path))
                return;
            _exists = true;
            SharedFolders.Check(path);
            string directory = Path.GetDirectoryName(path)!;
            if (!FileCalls.IsOurs(directory))
                throw new UntrustedPathException($"{directory} belongs to another user");
            if (new FileInfo(path).Length > LongestFile)
                throw new InvalidDataException($"{path} is longer than {LongestFile} bytes");
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                if (line.Length > 0 && line[0] != '#' && Restore(state, line) is { } problem)
                    Log.LineNotUsed(logger, path, number, problem);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            _isUnread = true;
            Log.NotRead(logger, path, failure.Message);
        }
    }

    /// <summary>
    /// Writes what is drained now; whoever reads meanwhile, or after a death in the middle, has the old file. Afterwards
    /// <see cref="Problem"/> says whether it could be done.
    /// </summary>
    public void Keep(PublisherState state)
    {
        string[] lines =
        [
            .. Foreign(state),
            .. state.Services.SelectMany(static service => service.Instances.Where(static one => one.IsDrained).Select(
                one => $"{service.Identity.Address} {one.State.Address} {Written(one.DrainedSince!.Value)} {one.FullName}")),
        ];
        try
        {
            if (_isUnread)
                File.Move(path, path + Unread, overwrite: true);
            _isUnread = false;
            if (lines.Length > 0 || _exists)
                Write(lines);
            Problem = null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Problem = failure.Message;
            Log.NotKept(logger, path, failure.Message);
        }
    }

    /// <returns>Why the line was not used; null: it was, or it is none of this publisher's.</returns>
    private static string? Restore(PublisherState state, string line)
    {
        string[] words = line.Split(' ', 4);
        if (words.Length < 3
            || !OnionServiceAddress.TryParse(words[0], out var address, out _)
            || !OnionServiceAddress.TryParse(words[1], out var instance, out _)
            || !DateTimeOffset.TryParseExact(
                words[2], TimeFormat, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var since))
            return "it is not SERVICE.onion INSTANCE.onion TIME, with a time as 2026-11-29T15:40:55Z";
        if (state.Services.FirstOrDefault(one => one.Identity.Address == address) is not { } service)
            return null;

        var drained = service.Instances.FirstOrDefault(one => one.State.Address == instance);
        return drained is null
            ? $"service {service.Options.Name} has no instance {instance} any more"
            : state.StayDrained(drained, since);
    }

    /// <summary>Lines of services that another publisher of this user may have, as they are now.</summary>
    private List<string> Foreign(PublisherState state)
    {
        try
        {
            return _isUnread || !File.Exists(path) ? [] : [.. File.ReadLines(path).Where(IsForeign)];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }

        bool IsForeign(string line) =>
            OnionServiceAddress.TryParse(line.Split(' ')[0], out var address, out _)
                && !state.Services.Any(one => one.Identity.Address == address);
    }

    private static string Written(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private void Write(string[] lines)
    {
        PrivateDirectory.Make(Path.GetDirectoryName(path)!, PrivateDirectoryOptions.MayBeLink | PrivateDirectoryOptions.MayBeOpen);
        string unfinished = path + ".new";
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new FileStream(unfinished, options))
        {
            file.Write(Encoding.UTF8.GetBytes(string.Concat(lines.Prepend(Heading).Select(static line => line + "\n"))));
            file.Flush(flushToDisk: true);
        }

        File.Move(unfinished, path, overwrite: true);
        _exists = true;
    }

    private static partial class Log
    {
        [LoggerMessage(
            PublishingEventIds.DrainsNotKept, LogLevel.Warning,
            "Which instances are drained cannot be kept in {Path}, and the next start will not know it: {Problem}")]
        public static partial void NotKept(ILogger logger, string path, string problem);

        [LoggerMessage(
            PublishingEventIds.DrainsNotRead, LogLevel.Warning,
            "Which instances were drained before this start cannot be read from {Path}, and none is: {Problem}")]
        public static partial void NotRead(ILogger logger, string path, string problem);

        [LoggerMessage(PublishingEventIds.DrainNotRestored, LogLevel.Warning, "{Path}:{Line} drains nothing: {Problem}")]
        public static partial void LineNotUsed(ILogger logger, string path, int line, string problem);
    }
}

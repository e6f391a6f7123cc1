using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Admin.Reload;

/// <summary>A worker as a file of <c>workers.d</c>, written whole or not at all.</summary>
/// <param name="Path">Where.</param>
/// <param name="Name">The same as messages name it.</param>
/// <param name="Text">What stands in it.</param>
internal sealed record SavedWorker(string Path, string Name, string Text)
{
    /// <summary>The first line of what was saved from here: only such files are changed or removed from here.</summary>
    private const string Mark = "; Saved by the admin API";

    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    /// <summary>As a file that was read.</summary>
    public ConfigurationText AsRead => new(Name, Path, Text);

    /// <summary>True for one that was saved from here.</summary>
    public static bool IsOurs(ConfigurationText file) => file.Text.StartsWith(Mark, StringComparison.Ordinal);

    /// <param name="folder">The folder, absolute.</param>
    /// <param name="shownFolder">The same as messages name it.</param>
    /// <param name="keys">Keys with their values.</param>
    public static SavedWorker Of(string folder, string shownFolder, string id, IEnumerable<KeyValuePair<string, string>> keys)
    {
        string file = id + ConfigurationFileSet.Extension;
        string[] lines =
        [
            $"{Mark}; DELETE /api/v1/workers/{id}?save=true removes it.",
            $"[Worker:{id}]",
            .. keys.Select(static key => $"{key.Key} = {Written(key.Value)}"),
        ];
        return new SavedWorker(
            System.IO.Path.Combine(folder, file), System.IO.Path.Combine(shownFolder, file), string.Join('\n', lines) + "\n");
    }

    /// <summary>Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public void Write()
    {
        string folder = System.IO.Path.GetDirectoryName(Path)!;
        Directory.CreateDirectory(folder);

        // A name that is not read: whoever looks in between sees the old file or the new one.
        string unfinished = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(Path)}.new");
        File.Delete(unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = Mode;
        using (var stream = new FileStream(unfinished, options))
        {
            stream.Write(System.Text.Encoding.UTF8.GetBytes(Text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, Path, overwrite: true);
    }

    /// <summary>Quotes keep every character, and plain values need none.</summary>
    private static string Written(string value) =>
        value.All(static one => char.IsAsciiLetterOrDigit(one) || "._:/,-[]%~+ ".Contains(one)) && value.Trim() == value
            ? value
            : $"\"{value}\"";
}

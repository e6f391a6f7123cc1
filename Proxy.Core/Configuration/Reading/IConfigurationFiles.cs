using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>The few things that reading a configuration asks of the file system.</summary>
internal interface IConfigurationFiles
{
    bool Exists(string path);

    /// <summary>
    /// The whole text, or false with a predicate such as "does not exist". Bytes that are not UTF-8 are in it as
    /// <see cref="ConfEncoding"/> says.
    /// </summary>
    bool TryRead(string path, out string text, out string problem);

    /// <summary>A file that may be long, to be read as far as one needs; null: it cannot be opened.</summary>
    TextReader? Open(string path);

    /// <summary>
    /// The names of what is in a folder, in no order, folders and links that lead nowhere included: whoever reads them says so. None where
    /// there is no such folder. False with a predicate when it cannot be read, or what has its name is none.
    /// </summary>
    bool TryList(string folder, out IReadOnlyList<string> names, out string problem);

    /// <summary>The permissions, or null where they are unknown.</summary>
    UnixFileMode? Mode(string path);

    /// <summary>
    /// Why nobody can make the file, or write to the one that is there, as a predicate; null: nothing is known that speaks against it.
    /// What the user who asks may do is not judged: the daemon's user may be another.
    /// </summary>
    /// <param name="isDirectory">Make a directory and what is in it.</param>
    string? ProblemOfMaking(string path, bool isDirectory);
}

namespace TorBalancer.Configuration.Reading;

/// <summary>One <c>Key = value</c> line; the value without comment and quotes.</summary>
/// <param name="Key">As written.</param>
/// <param name="Value">Empty when nothing was given.</param>
/// <param name="Line">From 1.</param>
/// <param name="IsQuoted">Double quotes stood around the whole value: nothing in it can be meant as a comment.</param>
internal sealed record ConfEntry(string Key, string Value, int Line, bool IsQuoted = false)
{
    /// <summary>Without the value, which may be a password.</summary>
    public override string ToString() => $"{Key} (line {Line})";
}

/// <summary>One <c>[Section]</c> header with what stands below it.</summary>
/// <param name="Name">As written, without the white space around it and around the colon.</param>
/// <param name="Line">Line of the header.</param>
/// <param name="Entries">In the order of the file; a key that was given before in a section of this name is left out.</param>
internal sealed record ConfSection(string Name, int Line, IReadOnlyList<ConfEntry> Entries);

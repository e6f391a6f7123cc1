namespace TorBalancer.Daemon.Terminal;

/// <summary>What a piece of text means; a terminal shows it by colour.</summary>
internal enum Tone : byte
{
    Plain,
    Good,
    Warning,
    Bad,
    Dim,
    Strong,
}

/// <summary>Colours where they are wanted: on a terminal, unless NO_COLOR (https://no-color.org) or TERM=dumb says otherwise.</summary>
/// <param name="HasColour">False: nothing but the text is written.</param>
internal readonly record struct TextStyle(bool HasColour)
{
    private const string Reset = "\e[0m";

    /// <param name="isTerminal">Whether it is written to one.</param>
    /// <param name="environment">Gives an environment variable or null.</param>
    public static TextStyle For(bool isTerminal, Func<string, string?> environment) =>
        new(isTerminal && string.IsNullOrEmpty(environment("NO_COLOR")) && environment("TERM") is not ("dumb" or null or ""));

    public string Paint(string text, Tone tone) => !HasColour || tone == Tone.Plain || text.Length == 0 ? text : Code(tone) + text + Reset;

    private static string Code(Tone tone) => tone switch
    {
        Tone.Good => "\e[32m",
        Tone.Warning => "\e[33m",
        Tone.Bad => "\e[31m",
        Tone.Dim => "\e[2m",
        _ => "\e[1m",
    };
}

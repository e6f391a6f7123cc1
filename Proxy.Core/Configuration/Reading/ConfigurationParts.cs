namespace TorBalancer.Configuration.Reading;

/// <summary>
/// Whose parts of a configuration are judged. Both programs may read one file, but neither needs what only the other uses: a key that it
/// may not read, a socket that it does not open.
/// </summary>
[Flags]
internal enum ConfigurationParts : byte
{
    /// <summary>Only how it is written: for commands that ask a program which has judged it.</summary>
    None = 0,

    /// <summary>What <c>run</c> uses.</summary>
    Proxy = 1,

    /// <summary>What <c>publish</c> uses.</summary>
    Publisher = 2,

    All = Proxy | Publisher,
}

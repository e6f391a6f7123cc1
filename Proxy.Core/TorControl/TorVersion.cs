using System.Globalization;

namespace TorBalancer.TorControl;

/// <summary>
/// A release of tor: four numbers, as in 0.4.9.11 (version-spec). What may stand behind them, such as -alpha or a commit, is left out:
/// an alpha counts as the release that it became.
/// </summary>
internal readonly record struct TorVersion(int Major, int Minor, int Micro, int Patch) : IComparable<TorVersion>
{
    /// <summary>The first release that carries one stream over a set of several circuits, and knows the option ConfluxEnabled.</summary>
    public static TorVersion FirstWithConflux { get; } = new(0, 4, 8, 1);

    /// <summary>Reads the first word that begins with four numbers: <c>0.4.9.11 (git-…)</c>, <c>Tor version 0.4.9.11.</c></summary>
    public static TorVersion? TryParse(string text)
    {
        Span<int> numbers = stackalloc int[4];
        foreach (string word in text.Split([' ', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = word.TrimEnd('.').Split('-')[0].Split('.');
            if (parts.Length != numbers.Length)
                continue;
            bool areNumbers = true;
            for (int i = 0; i < numbers.Length; i++)
                areNumbers &= int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]);
            if (areNumbers)
                return new TorVersion(numbers[0], numbers[1], numbers[2], numbers[3]);
        }

        return null;
    }

    public int CompareTo(TorVersion other) =>
        (Major, Minor, Micro, Patch).CompareTo((other.Major, other.Minor, other.Micro, other.Patch));

    public static bool operator <(TorVersion one, TorVersion other) => one.CompareTo(other) < 0;

    public static bool operator >(TorVersion one, TorVersion other) => one.CompareTo(other) > 0;

    public static bool operator <=(TorVersion one, TorVersion other) => one.CompareTo(other) <= 0;

    public static bool operator >=(TorVersion one, TorVersion other) => one.CompareTo(other) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}.{Micro}.{Patch}");
}

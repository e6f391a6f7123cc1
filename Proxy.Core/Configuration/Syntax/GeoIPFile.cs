using System.Globalization;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// Where tor finds out in which country a relay is: a file, without which exits cannot be chosen by country. Debian has it in a package
/// of its own.
/// </summary>
/// <param name="Path">The file; null: there is none.</param>
/// <param name="IsInTorrc">The user's torrc lines name it already.</param>
/// <param name="Looked">Where it was looked for.</param>
internal sealed record GeoIPFile(string? Path, bool IsInTorrc, IReadOnlyList<string> Looked)
{
    private static readonly string[] UsualPlaces = ["/usr/share/tor/geoip", "/usr/local/share/tor/geoip"];

    /// <summary>What to do without one.</summary>
    public string Advice =>
        $"needs a GeoIP file, and there is none ({string.Join(", ", Looked)}): install Debian's package tor-geoipdb, or name one by a line "
            + "\"GeoIPFile /path\" in the file of ExtraTorrc";

    /// <summary>The file that the user's lines name, or else the first of those that packages of tor have.</summary>
    /// <param name="extraLines">The lines of ExtraTorrc; see <see cref="TorrcText"/>.</param>
    /// <param name="torPath">The tor executable; auto or a name: only the usual places are looked at.</param>
    /// <param name="exists">Whether there is a file.</param>
    public static GeoIPFile Find(IReadOnlyList<string> extraLines, string torPath, Func<string, bool> exists)
    {
        const string option = "GeoIPFile";
        // The last one counts for tor.
        foreach (string line in extraLines.Reverse())
        {
            string[] words = line.Split([' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length == 2 && words[0].Equals(option, StringComparison.OrdinalIgnoreCase))
            {
                string named = words[1].Trim('"');
                return new GeoIPFile(exists(named) ? named : null, IsInTorrc: true, [named]);
            }
        }

        var places = new List<string>();
        if (torPath.StartsWith('/') && System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(torPath)) is { } prefix)
            places.Add(System.IO.Path.Combine(prefix, "share/tor/geoip"));
        places.AddRange(UsualPlaces.Where(place => !places.Contains(place)));
        return new GeoIPFile(places.Find(place => exists(place)), IsInTorrc: false, places);
    }

    /// <summary>
    /// How many of the addresses are in each country that the file has, by its two letters in lower case. Throws
    /// <see cref="IOException"/>.
    /// </summary>
    /// <param name="file">Its lines are low,high,country; both numbers are IPv4 addresses, and in.</param>
    public static IReadOnlyDictionary<string, int> Count(TextReader file, IEnumerable<uint> addresses)
    {
        uint[] sorted = [.. addresses.Order()];
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        while (file.ReadLine() is { } line)
        {
            string[] words = line.Split(',');
            if (words.Length == 3 && IsNumber(words[0], out uint low) && IsNumber(words[1], out uint high) && low <= high)
            {
                string country = words[2].Trim().ToLowerInvariant();
                counts[country] = counts.GetValueOrDefault(country) + Before(sorted, high + 1UL) - Before(sorted, low);
            }
        }

        return counts;

        static bool IsNumber(string word, out uint number) =>
            uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>How many of them are lower.</summary>
    private static int Before(uint[] sorted, ulong address)
    {
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = sorted[middle] < address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>
    /// Those countries that the file does not have; its lines are low,high,country. It is read as far as the last of them only: whole, it
    /// is ten megabytes. Throws <see cref="IOException"/>.
    /// </summary>
    public static IReadOnlyList<string> Missing(TextReader file, IEnumerable<string> countries)
    {
        const int blockLength = 64 * 1024, overlap = 2, most = 16 * 1024 * 1024;
        var missing = countries.ToList();
        var block = new char[overlap + blockLength];
        int kept = 0;
        for (int read = 0, total = 0; missing.Count > 0 && total < most; total += read)
        {
            read = file.ReadBlock(block, kept, blockLength);
            if (read == 0)
                break;
            string text = new(block, 0, kept + read);
            missing.RemoveAll(country => text.Contains("," + country, StringComparison.OrdinalIgnoreCase));

            // A country may begin at the end of this block.
            kept = Math.Min(overlap, text.Length);
            text.CopyTo(text.Length - kept, block, 0, kept);
        }

        return missing;
    }
}

using System.Globalization;

namespace TorBalancer.TorControl.Relays;

/// <summary>The exits that the network has, with their weights: what the bounds on exclusion are measured against.</summary>
internal sealed class ExitConsensus
{
    public static readonly ExitConsensus Empty = new(new Dictionary<string, long>());

    /// <summary>Of 32 bits in tor, so that no sum of them overflows.</summary>
    private const long LargestBandwidth = uint.MaxValue;

    private readonly IReadOnlyDictionary<string, long> _weights;

    private ExitConsensus(IReadOnlyDictionary<string, long> weights)
    {
        _weights = weights;
        TotalWeight = weights.Values.Sum();
    }

    /// <summary>Relays with the flags Exit and Running and without BadExit.</summary>
    public int Count => _weights.Count;

    public long TotalWeight { get; }

    public bool Contains(string fingerprint) => _weights.ContainsKey(fingerprint);

    public long WeightOf(string fingerprint) => _weights.GetValueOrDefault(fingerprint);

    /// <summary>
    /// Reads <c>GETINFO ns/all</c> (dir-spec, router status entries):
    /// <code>
    /// r nickname base64-identity base64-digest date time address orport dirport
    /// s Exit Fast Running Valid …
    /// w Bandwidth=5400
    /// </code>
    /// </summary>
    public static ExitConsensus Parse(string text)
    {
        var weights = new Dictionary<string, long>(StringComparer.Ordinal);
        string? relay = null;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range).TrimEnd('\r');
            if (line.StartsWith("r "))
            {
                relay = Identity(line);
            }
            else if (line.StartsWith("s ") && relay is not null)
            {
                if (IsExit(line[2..].ToString().Split(' ')))
                    weights[relay] = 0;
                else
                    relay = null;
            }
            else if (line.StartsWith("w ") && relay is not null && weights.ContainsKey(relay))
            {
                weights[relay] = Bandwidth(line);
            }
        }

        return new ExitConsensus(weights);
    }

    /// <summary>
    /// The IPv4 addresses of the same relays in the same text, one for each; or of those in a consensus with microdescriptors, whose lines
    /// lack the digest.
    /// </summary>
    public static IEnumerable<string> AddressesOf(string text)
    {
        const int fromEnd = 3, least = 8;
        string? found = null;
        foreach (string line in text.Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.StartsWith("r ", StringComparison.Ordinal))
            {
                found = line.Split(' ') is { Length: >= least } words ? words[^fromEnd] : null;
            }
            else if (line.StartsWith("s ", StringComparison.Ordinal) && found is not null && IsExit(line[2..].Split(' ')))
            {
                yield return found;
                found = null;
            }
        }
    }

    private static bool IsExit(string[] flags) => flags.Contains("Exit") && flags.Contains("Running") && !flags.Contains("BadExit");

    /// <summary>The identity is base64 of 20 bytes without its padding.</summary>
    private static string? Identity(ReadOnlySpan<char> line)
    {
        string[] words = line.ToString().Split(' ', 4);
        Span<byte> identity = stackalloc byte[32];
        return words.Length > 2 && Convert.TryFromBase64String(words[2] + "=", identity, out int length) && length == 20
            ? Convert.ToHexString(identity[..length])
            : null;
    }

    private static long Bandwidth(ReadOnlySpan<char> line)
    {
        const string key = "Bandwidth=";
        foreach (var range in line.Split(' '))
        {
            var word = line[range];
            if (word.StartsWith(key) && long.TryParse(word[key.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long value))
                return Math.Min(value, LargestBandwidth);
        }

        return 0;
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Network;

/// <summary>
/// Reads a consensus of the flavor microdesc, as GETINFO gives it. Its signatures are not looked at: tor has. Unknown lines are passed
/// over.
/// </summary>
internal sealed class ConsensusReader
{
    private const string Time = "yyyy-MM-dd HH:mm:ss";

    private readonly Dictionary<string, long> _parameters = new(StringComparer.Ordinal);
    private readonly List<DirectoryRelay> _directories = [];
    private readonly Microdescriptors _microdescriptors;
    private DateTimeOffset? _validAfter, _freshUntil, _validUntil;
    private Bytes32? _current, _previous;
    private int _withoutIdentity;

    // The router status that is being read.
    private string? _fingerprint;
    private string? _digest;
    private bool _hasFlag, _hasProtocol;

    private ConsensusReader(Microdescriptors microdescriptors) => _microdescriptors = microdescriptors;

    /// <param name="text">dir/status-vote/current/consensus-microdesc</param>
    /// <param name="microdescriptors">Those of its relays.</param>
    /// <param name="error">What is missing or wrong.</param>
    public static bool TryRead(
        string text, Microdescriptors microdescriptors, [NotNullWhen(true)] out NetworkConsensus? consensus,
        [NotNullWhen(false)] out string? error)
    {
        var reader = new ConsensusReader(microdescriptors);
        foreach (var line in text.AsSpan().EnumerateLines())
            reader.Read(line);
        reader.EndRelay();
        return reader.TryFinish(out consensus, out error);
    }

    private bool TryFinish([NotNullWhen(true)] out NetworkConsensus? consensus, [NotNullWhen(false)] out string? error)
    {
        consensus = null;
        error = null;
        if (_validAfter is not { } validAfter || _freshUntil is not { } freshUntil || _validUntil is not { } validUntil)
            error = "the consensus does not say when it is valid";
        else if (freshUntil <= validAfter || validUntil < freshUntil)
            error = "the times of the consensus are out of order";
        else if (_directories.Count == 0)
            error = _withoutIdentity > 0
                ? "no microdescriptor of a directory (HSDir) is known yet"
                : "the consensus lists no directory (HSDir)";
        if (error is not null)
            return false;

        consensus = new NetworkConsensus
        {
            ValidAfter = _validAfter!.Value,
            FreshUntil = _freshUntil!.Value,
            ValidUntil = _validUntil!.Value,
            Parameters = _parameters,
            CurrentSharedRandom = _current,
            PreviousSharedRandom = _previous,
            Directories = _directories,
            DirectoriesWithoutIdentity = _withoutIdentity,
        };
        return true;
    }

    private void Read(ReadOnlySpan<char> line)
    {
        int space = line.IndexOf(' ');
        var keyword = space < 0 ? line : line[..space];
        var rest = space < 0 ? default : line[(space + 1)..];
        switch (keyword)
        {
            case "valid-after":
                _validAfter = ReadTime(rest);
                break;
            case "fresh-until":
                _freshUntil = ReadTime(rest);
                break;
            case "valid-until":
                _validUntil = ReadTime(rest);
                break;
            case "params":
                ReadParameters(rest);
                break;
            case "shared-rand-current-value":
                _current = ReadSharedRandom(rest);
                break;
            case "shared-rand-previous-value":
                _previous = ReadSharedRandom(rest);
                break;
            case "r":
                BeginRelay(rest);
                break;
            case "m":
                _digest = rest.ToString();
                break;
            case "s":
                _hasFlag = HasWord(rest, "HSDir");
                break;
            case "pr":
                _hasProtocol = SupportsVersion3(rest);
                break;
            case "directory-footer":
                EndRelay();
                break;
        }
    }

    //  r NICKNAME IDENTITY DATE TIME IP ORPORT DIRPORT
    private void BeginRelay(ReadOnlySpan<char> rest)
    {
        EndRelay();
        Span<byte> identity = stackalloc byte[20];
        int first = rest.IndexOf(' ');
        if (first < 0)
            return;
        rest = rest[(first + 1)..];
        int end = rest.IndexOf(' ');
        if (Base64Text.TryDecode(end < 0 ? rest : rest[..end], identity))
            _fingerprint = Convert.ToHexString(identity);
    }

    private void EndRelay()
    {
        if (_fingerprint is not null && _hasFlag && _hasProtocol)
        {
            if (_digest is not null && _microdescriptors.IdentityOf(_digest) is { } identity)
                _directories.Add(new DirectoryRelay(_fingerprint, identity));
            else
                _withoutIdentity++;
        }

        _fingerprint = _digest = null;
        _hasFlag = _hasProtocol = false;
    }

    private void ReadParameters(ReadOnlySpan<char> rest)
    {
        foreach (var range in rest.Split(' '))
        {
            var pair = rest[range];
            int equals = pair.IndexOf('=');
            if (equals > 0
                && long.TryParse(pair[(equals + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
                _parameters[pair[..equals].ToString()] = value;
        }
    }

    private static DateTimeOffset? ReadTime(ReadOnlySpan<char> text) =>
        DateTimeOffset.TryParseExact(text, Time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    //  shared-rand-current-value NUMREVEALS VALUE
    private static Bytes32? ReadSharedRandom(ReadOnlySpan<char> rest)
    {
        Span<byte> value = stackalloc byte[Bytes32.Length];
        int space = rest.IndexOf(' ');
        return space >= 0 && Base64Text.TryDecode(rest[(space + 1)..], value) ? new Bytes32(value) : null;
    }

    private static bool HasWord(ReadOnlySpan<char> words, ReadOnlySpan<char> word)
    {
        foreach (var range in words.Split(' '))
        {
            if (words[range].SequenceEqual(word))
                return true;
        }

        return false;
    }

    //  pr Cons=1-2 HSDir=1-2,4 …
    private static bool SupportsVersion3(ReadOnlySpan<char> protocols)
    {
        const int version3 = 2;
        foreach (var range in protocols.Split(' '))
        {
            var entry = protocols[range];
            if (!entry.StartsWith("HSDir=", StringComparison.Ordinal))
                continue;
            var versions = entry["HSDir=".Length..];
            foreach (var part in versions.Split(','))
            {
                var span = versions[part];
                int dash = span.IndexOf('-');
                if (int.TryParse(dash < 0 ? span : span[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out int low)
                    && int.TryParse(dash < 0 ? span : span[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int high)
                    && low <= version3 && version3 <= high)
                    return true;
            }
        }

        return false;
    }
}

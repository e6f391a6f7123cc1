namespace TorBalancer.Fuzz;

/// <summary>
/// Makes inputs of inputs, the same ones for the same seed: what a fuzzer does without knowing what was met, for the short runs in the
/// tests.
/// </summary>
/// <param name="inputs">What is begun with.</param>
/// <param name="tokens">Words of the format.</param>
internal sealed class Mutator(IReadOnlyList<byte[]> inputs, IReadOnlyList<byte[]> tokens, int seed)
{
    private const int MostEdits = 4, LongestCopy = 64;

    private static readonly byte[] Interesting = [0, 1, 0x0A, 0x0D, 0x20, 0x2D, 0x3A, 0x7F, 0x80, 0xFF];

    private readonly Random _random = new(seed);

    /// <summary>The next one.</summary>
    public byte[] Next()
    {
        var bytes = new List<byte>(Any(inputs));
        for (int edits = _random.Next(1, MostEdits + 1); edits > 0; edits--)
            Edit(bytes);
        return [.. bytes];
    }

    private void Edit(List<byte> bytes)
    {
        int at = _random.Next(bytes.Count + 1);
        int length = Math.Min(_random.Next(1, LongestCopy), bytes.Count - at);
        switch (_random.Next(tokens.Count > 0 ? 8 : 7))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)_random.Next(256);
                break;
            case 2 when at < bytes.Count:
                bytes[at] = Interesting[_random.Next(Interesting.Length)];
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.InsertRange(_random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 5:
                // The rest of another one.
                byte[] other = Any(inputs);
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other.AsSpan(_random.Next(other.Length + 1)).ToArray());
                break;
            case 7:
                bytes.InsertRange(at, Any(tokens));
                break;
            default:
                bytes.Insert(at, Interesting[_random.Next(Interesting.Length)]);
                break;
        }
    }

    private byte[] Any(IReadOnlyList<byte[]> list) => list[_random.Next(list.Count)];
}

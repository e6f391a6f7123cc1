using System.Globalization;

namespace TorBalancer.Configuration.Syntax;

/// <summary>Sizes: a whole number with KiB, MiB or GiB.</summary>
internal static partial class Values
{
    private static readonly (string Unit, long Bytes)[] SizeUnits = [("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10)];

    /// <param name="min">Smallest that is allowed, bytes.</param>
    /// <param name="max">Largest that is allowed, bytes.</param>
    public static ValueParser<long> Size(long min, long max)
    {
        string allowed = $"a size from {ShowSize(min)} to {ShowSize(max)}, such as {ShowSize(Math.Clamp(256L << 20, min, max))}";
        return new ValueParser<long>(allowed, (string text, ValueContext _, out long value) =>
        {
            value = 0;
            int digits = 0;
            while (digits < text.Length && char.IsAsciiDigit(text[digits]))
                digits++;

            // Nine digits of GiB are 2^60, which a long still holds.
            if (digits is 0 or > 9)
                return new ValueProblem("is not a size");
            string unit = text[digits..].TrimStart();
            long bytes = Array.Find(SizeUnits, known => known.Unit.Equals(unit, StringComparison.OrdinalIgnoreCase)).Bytes;
            if (bytes == 0)
            {
                // K, MB and the like: whether 1000 or 1024 is meant is not for us to guess, but we may ask.
                string number = text[..digits];
                string? meant = Array.Find(SizeUnits,
                    known => unit.Length is 1 or 2 && char.ToUpperInvariant(unit[0]) == known.Unit[0]).Unit;
                return unit.Length == 0 ? new ValueProblem("has no unit", number + "MiB")
                    : new ValueProblem("is not a size", meant is null ? null : number + meant);
            }

            value = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture) * bytes;
            return value < min || value > max ? new ValueProblem("is out of range") : null;
        });
    }

    /// <summary>The shortest text that parses to <paramref name="bytes"/>.</summary>
    private static string ShowSize(long bytes)
    {
        var (unit, size) = Array.Find(SizeUnits, known => bytes % known.Bytes == 0);
        return size == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes")
            : string.Create(CultureInfo.InvariantCulture, $"{bytes / size}{unit}");
    }
}

using System.Globalization;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>How requests fell on instances.</summary>
internal sealed class Spread
{
    private readonly int[] _counts;

    public Spread(int instances, IEnumerable<int> answered)
    {
        _counts = new int[instances];
        foreach (int one in answered)
            _counts[one]++;
    }

    public int Total => _counts.Sum();

    public double Even => (double)Total / _counts.Length;

    /// <summary>The counts that are farthest from even, as parts of it.</summary>
    public (double Least, double Most) Extremes => (_counts.Min() / Even, _counts.Max() / Even);

    /// <summary>By how much a count of this size is off by chance, as a part of even: one standard deviation.</summary>
    public double Chance => Math.Sqrt((1 - (1.0 / _counts.Length)) / Even);

    public double ChiSquare => _counts.Sum(count => Math.Pow(count - Even, 2) / Even);

    /// <summary>How probable a chi-square of this size or more is when the spread is even; by Wilson and Hilferty.</summary>
    public double Probability
    {
        get
        {
            double k = Math.Max(1, _counts.Length - 1), v = 2 / (9 * k);
            double z = (Math.Cbrt(ChiSquare / k) - (1 - v)) / Math.Sqrt(v);
            return UpperTail(z);
        }
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Total} requests over {_counts.Length} instances: {Extremes.Least:P0} to {Extremes.Most:P0} of even (chance ±{Chance:P0}), "
            + $"chi-square {ChiSquare:F1} with {_counts.Length - 1} degrees of freedom, p = {Probability:F3}; {string.Join(' ', _counts)}");

    // The normal distribution's upper tail; Zelen and Severo, to 7.5e-8.
    private static double UpperTail(double z)
    {
        double x = Math.Abs(z), t = 1 / (1 + (0.2316419 * x));
        double tail = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI)
            * t * (0.319381530 + (t * (-0.356563782 + (t * (1.781477937 + (t * (-1.821255978 + (t * 1.330274429))))))));
        return z >= 0 ? tail : 1 - tail;
    }
}

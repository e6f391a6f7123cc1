using TorBalancer.Balancing;

namespace TorBalancer.Tests.Support;

/// <summary>A seeded generator: chance that is the same in every run.</summary>
internal sealed class SeededRandom(int seed) : IRandomSource
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);

    public int Next(int exclusiveMax)
    {
        lock (_lock)
            return _random.Next(exclusiveMax);
    }
}

/// <summary>Hands out the given numbers in order.</summary>
internal sealed class ScriptedRandom(params int[] numbers) : IRandomSource
{
    private int _next;

    public int Next(int exclusiveMax)
    {
        int number = numbers[_next++];
        Assert.That(number, Is.LessThan(exclusiveMax), "the script offers a number that was not asked for");
        return number;
    }
}

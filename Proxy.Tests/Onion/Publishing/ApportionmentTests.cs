using TorBalancer.Onion.Publishing;

namespace TorBalancer.Tests.Onion.Publishing;

public class ApportionmentTests
{
    [TestCase(new[] { 1, 1, 1 }, new[] { 9, 9, 9 }, 20, new[] { 6, 6, 6 })]
    [TestCase(new[] { 1, 1, 1 }, new[] { 9, 9, 9 }, 3, new[] { 1, 1, 1 })]
    [TestCase(new[] { 3, 1 }, new[] { 20, 20 }, 20, new[] { 15, 5 })]
    [TestCase(new[] { 1, 1 }, new[] { 3, 3 }, 20, new[] { 3, 3 })]
    [TestCase(new[] { 1, 1 }, new[] { 3, 1 }, 20, new[] { 1, 1 })]
    [TestCase(new[] { 100, 1 }, new[] { 20, 20 }, 20, new[] { 19, 1 })]
    [TestCase(new[] { 7 }, new[] { 3 }, 20, new[] { 3 })]
    public void Divide_fills_the_places_as_long_as_shares_stay_even(int[] weights, int[] limits, int places, int[] expected) =>
        Assert.That(Apportionment.Divide(weights, limits, places), Is.EqualTo(expected));

    [Test]
    public void Divide_gives_everybody_a_place_within_the_limits()
    {
        var random = new Random(17);
        for (int i = 0; i < 500; i++)
        {
            int count = random.Next(1, 21);
            int[] weights = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 100))];
            int[] limits = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 6))];

            int[] counts = Apportionment.Divide(weights, limits, 20);

            Assert.That(counts.Sum(), Is.LessThanOrEqualTo(20));
            for (int one = 0; one < count; one++)
                Assert.That(counts[one], Is.InRange(1, limits[one]));
        }
    }

    [Test]
    public void Divide_of_too_few_places_is_refused() =>
        Assert.That(() => Apportionment.Divide([1, 1], [1, 1], 1), Throws.ArgumentException);
}

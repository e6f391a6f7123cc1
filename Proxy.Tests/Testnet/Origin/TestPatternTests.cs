using TorBalancer.Testnet.Origin;

namespace TorBalancer.Tests.Testnet.Origin;

public sealed class TestPatternTests
{
    [Test]
    public void Fill_any_part_equals_that_part_of_the_whole()
    {
        byte[] whole = new byte[200];
        TestPattern.Fill(0, whole);
        for (int start = 0; start < 20; start++)
        {
            for (int length = 0; length < 40; length++)
            {
                byte[] part = new byte[length];
                TestPattern.Fill(start, part);
                Assert.That(part, Is.EqualTo(whole[start..(start + length)]), $"{length} bytes from {start}");
            }
        }
    }

    [Test]
    public void Matches_one_changed_byte_is_noticed()
    {
        byte[] data = new byte[5000];
        TestPattern.Fill(77, data);
        Assert.That(TestPattern.Matches(77, data), Is.True);
        Assert.That(TestPattern.Matches(76, data), Is.False);
        data[4321] ^= 1;
        Assert.That(TestPattern.Matches(77, data), Is.False);
    }
}

using TorBalancer.Admin;

namespace TorBalancer.Tests.Admin;

public class MemoryBudgetTests
{
    [Test, CancelAfter(10_000)]
    public async Task Grow_of_two_that_would_wait_for_each_other_lets_one_end_first(CancellationToken token)
    {
        var budget = new MemoryBudget(100);
        using var first = budget.Open(80);
        using var second = budget.Open(80);
        await first.GrowAsync(40, token);

        // There would be 20 left, and each of them may need 40 more.
        var waiting = second.GrowAsync(40, token).AsTask();
        Assert.That(waiting.IsCompleted, Is.False);
        Assert.That(second.TryGrow(20), Is.True, "40 are left, which is all that the first may need");
        await first.GrowAsync(40, token);
        Assert.That(waiting.IsCompleted, Is.False);

        first.Dispose();
        await waiting.WaitAsync(token);
        Assert.That((second.Held, budget.Used), Is.EqualTo((60L, 60L)));
    }

    [Test, CancelAfter(60_000)]
    public async Task Grow_of_many_with_random_needs_always_comes_to_an_end(CancellationToken token)
    {
        const int limit = 1000, most = 400;
        var budget = new MemoryBudget(limit);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(async seed =>
        {
            var random = new Random(seed);
            for (int round = 0; round < 50; round++)
            {
                using var share = budget.Open(most);
                while (share.Held < most && random.Next(10) > 0)
                {
                    await share.GrowAsync(Math.Min(random.Next(1, 100), most - share.Held), token);
                    Assert.That(budget.Used, Is.LessThanOrEqualTo(limit));
                    await Task.Yield();
                }

                share.Expect(0);
                await Task.Yield();
            }
        }));
        Assert.That((budget.Used, budget.Waiting), Is.EqualTo((0L, 0)));
    }

    [Test, CancelAfter(10_000)]
    public async Task Expect_of_less_lets_others_go_on(CancellationToken token)
    {
        var budget = new MemoryBudget(100);
        using var first = budget.Open(100);
        using var second = budget.Open(80);
        await first.GrowAsync(40, token);
        var waiting = second.GrowAsync(10, token).AsTask();
        Assert.That(waiting.IsCompleted, Is.False);

        first.Expect(0);

        await waiting.WaitAsync(token);
    }

    [Test, CancelAfter(10_000)]
    public async Task Grow_that_is_cancelled_is_short_and_leaves_nothing_behind(CancellationToken token)
    {
        var budget = new MemoryBudget(100);
        var first = budget.Open(100);
        await first.GrowAsync(100, token);
        using var second = budget.Open(50);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(token);
        var waiting = second.GrowAsync(10, leaving.Token).AsTask();
        Assert.That((second.IsShort, budget.Waiting), Is.EqualTo((true, 1)));

        await leaving.CancelAsync();

        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
        Assert.That((second.IsShort, budget.Waiting), Is.EqualTo((true, 0)));
        first.Dispose();
        first.Dispose();
        Assert.That(budget.Used, Is.Zero);
    }

    [Test, CancelAfter(10_000)]
    public void Grow_beyond_the_claim_or_all_does_not_wait(CancellationToken token)
    {
        using var share = new MemoryBudget(100).Open(1000);

        Assert.That(share.Claim, Is.EqualTo(100));
        Assert.That(async () => await share.GrowAsync(101, token), Throws.InstanceOf<InsufficientMemoryException>());
        Assert.That(share.TryGrow(101), Is.False);
    }
}

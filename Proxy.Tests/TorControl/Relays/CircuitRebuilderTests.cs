using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl.Relays;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CircuitRebuilderTests
{
    private const string Token = "0123456789abcdef0123456789abcdef";

    private readonly CircuitEpochs _epochs = new();

    [Test]
    public void Third_failure_in_a_row_breaks_the_circuit_and_its_token_moves_on_when_another_is_there()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);

        Assert.That(rebuilder.Observe(Failure("7", "a")), Is.Null);
        Assert.That(rebuilder.Observe(Failure("7", "a")), Is.Null);
        var broken = rebuilder.Observe(Failure("8", "a"));

        Assert.That(broken?.Circuits, Is.EqualTo(new[] { "7", "8" }));
        Assert.That(broken?.Failures, Is.EqualTo(3));
        Assert.That(
            (_epochs.PasswordFor("w", Token), rebuilder.Rebuilds), Is.EqualTo((Token, 0L)),
            "nothing moves before there is another circuit");
        Assert.That(rebuilder.Replaced(broken!), Is.EqualTo(1));
        Assert.That(_epochs.EpochOf("w", Token), Is.EqualTo(1));
        Assert.That(_epochs.PasswordFor("w", Token), Has.Length.EqualTo(32).And.Not.EqualTo(Token));
        Assert.That(_epochs.PasswordFor("other", Token), Is.EqualTo(Token), "another worker's circuits are fine");
    }

    [Test]
    public void Success_resets_the_count()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);
        rebuilder.Observe(Failure("7", "a"));
        rebuilder.Observe(Failure("7", "b"));
        rebuilder.Observe(Failure("7", "c", StreamFault.None));

        Assert.That(rebuilder.Observe(Failure("7", "d")), Is.Null);
        Assert.That(rebuilder.Observe(Failure("7", "e")), Is.Null);
        Assert.That(rebuilder.Observe(Failure("7", "f")), Is.Not.Null);
    }

    [Test]
    public void One_destination_that_refuses_everybody_breaks_no_circuit()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);
        for (int i = 0; i < 1000; i++)
            Assert.That(rebuilder.Observe(Failure("7", "closed", StreamFault.Ambiguous)), Is.Null);

        Assert.That(rebuilder.Observe(Failure("7", "other", StreamFault.Ambiguous)), Is.Not.Null);
    }

    [Test]
    public void Only_one_rebuild_runs_at_a_time_and_late_news_of_the_old_circuit_does_not_count()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);
        var broken = Break(rebuilder, Token);
        for (int i = 0; i < 10; i++)
            Assert.That(rebuilder.Observe(Failure("7", $"{i}")), Is.Null);
        rebuilder.Replaced(broken);
        Assert.That((rebuilder.Rebuilds, _epochs.EpochOf("w", Token)), Is.EqualTo((1L, 1L)));
        Assert.That(rebuilder.Observe(Failure("7", "late")), Is.Null);

        string second = _epochs.PasswordFor("w", Token);
        rebuilder.Replaced(Break(rebuilder, second));
        Assert.That((rebuilder.Rebuilds, _epochs.EpochOf("w", Token)), Is.EqualTo((2L, 2L)));
        Assert.That(_epochs.TokenOf("w", _epochs.PasswordFor("w", Token)), Is.EqualTo(Token));
    }

    [Test]
    public void Streams_without_a_token_are_counted_by_circuit_and_rebuilt_once()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);
        rebuilder.Observe(Failure("7", "a") with { Password = null });
        rebuilder.Observe(Failure("8", "a") with { Password = null });
        rebuilder.Observe(Failure("7", "a") with { Password = null });
        var broken = rebuilder.Observe(Failure("7", "a") with { Password = null });

        Assert.That((broken?.Password, string.Join(',', broken!.Circuits)), Is.EqualTo(((string?)null, "7")));
        Assert.That(rebuilder.Observe(Failure("7", "a") with { Password = null }), Is.Null, "one at a time");
        Assert.That(rebuilder.Replaced(broken), Is.Zero);
        Assert.That(rebuilder.Observe(Failure("7", "a") with { Password = null }), Is.Null, "the count begins anew");
    }

    [Test]
    public void Circuit_that_could_not_be_replaced_stays_and_is_tried_again_after_as_many_failures()
    {
        var rebuilder = new CircuitRebuilder("w", _epochs, 3);
        rebuilder.Kept(Break(rebuilder, Token));

        Assert.That((_epochs.PasswordFor("w", Token), rebuilder.Rebuilds), Is.EqualTo((Token, 0L)));
        rebuilder.Replaced(Break(rebuilder, Token));
        Assert.That((_epochs.EpochOf("w", Token), rebuilder.Rebuilds), Is.EqualTo((1L, 1L)));
    }

    [Test]
    public void Run_lets_one_of_many_begin()
    {
        var run = new FailureRun("x");
        int begun = 0;
        Parallel.For(0, 1000, _ =>
        {
            if (run.TryBeginRebuild())
                Interlocked.Increment(ref begun);
        });

        Assert.That(begun, Is.EqualTo(1));
        run.EndRebuild();
        Assert.That(run.TryBeginRebuild());
    }

    [Test]
    public void Epochs_forget_the_oldest()
    {
        var epochs = new CircuitEpochs(capacity: 2);
        string[] tokens = [.. "abc".Select(static c => new string(c, 32))];
        foreach (string token in tokens)
            epochs.Advance("w", token);

        Assert.That(epochs.Count, Is.EqualTo(2));
        Assert.That(tokens.Select(token => epochs.EpochOf("w", token)), Is.EqualTo(new[] { 0L, 1, 1 }));
        Assert.That(epochs.PasswordFor("w", tokens[0]), Is.EqualTo(tokens[0]));
    }

    private static BrokenCircuit Break(CircuitRebuilder rebuilder, string password)
    {
        rebuilder.Observe(Failure("7", "a") with { Password = password });
        rebuilder.Observe(Failure("7", "b") with { Password = password });
        return rebuilder.Observe(Failure("7", "c") with { Password = password })!;
    }

    private static StreamVerdict Failure(string circuit, string destination, StreamFault fault = StreamFault.CircuitDied) =>
        new(fault, circuit, circuit, new RelayName("E", null), destination, Token);
}

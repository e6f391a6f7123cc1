using TorBalancer.Daemon.Client;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>What --help says to whoever does not know the program yet.</summary>
public class ProgramHelpTests
{
    private const string Keys = "--SECTION:KEY=VALUE";

    [TestCase("run"), TestCase("check"), TestCase("healthcheck"), TestCase("env"), TestCase("publish"), TestCase("user add")]
    public async Task Command_that_takes_keys_says_how_they_are_given(string command)
    {
        var run = await CommandRun.OfAsync([.. command.Split(' '), "--help"]);

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Output.Split(Keys), Has.Length.EqualTo(3), "in its usage, and what it means");
        Assert.That(run.Output, Does.Not.Contain("application").And.Not.Contain("additional").And.Not.Contain("Additional"));
    }

    [Test]
    public async Task Other_commands_take_none()
    {
        var run = await CommandRun.OfAsync("status", "--help");

        Assert.That(run.Output, Does.Contain("status [options]").And.Not.Contain(Keys));
    }

    [Test]
    public async Task Help_behind_a_mistake_is_the_same()
    {
        var run = await CommandRun.OfAsync("env", "--for", "nope");

        Assert.That(run.Code, Is.EqualTo(ExitCodes.Usage));
        Assert.That(run.Error, Does.Contain("nope"));
        Assert.That(run.Output, Does.Contain(Keys).And.Not.Contain("Additional"));
    }
}

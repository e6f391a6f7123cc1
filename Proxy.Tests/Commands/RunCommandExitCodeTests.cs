using TorBalancer.Daemon;

namespace TorBalancer.Tests.Commands;

/// <summary>2 says that the command line is wrong, whoever found it out.</summary>
public class RunCommandExitCodeTests
{
    [TestCase(2)]
    [TestCase(2, "frob")]
    [TestCase(2, "testnet", "sideways")]
    [TestCase(2, "init", "--no-such-option")]
    [TestCase(2, "env", "--config")]
    [TestCase(2, "check", "--no-such-option")]
    [TestCase(1, "check", "--config", "/nonexistent/torbalancer.conf")]
    [TestCase(1, "env", "--config", "/nonexistent/torbalancer.conf")]
    [TestCase(1, "run", "--config", "/nonexistent/torbalancer.conf")]
    [TestCase(2, "run", "--no-such-option")]
    [TestCase(2, "run", "--latency", "30ms")]
    [TestCase(0, "--version")]
    [TestCase(0, "run", "--help")]
    public async Task Exit_code_of_a_command_line(int expected, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();

        int code = await Program.RunAsync(arguments, output, error);

        Assert.That(code, Is.EqualTo(expected), $"{output}{error}");
        Assert.That(error.ToString(), expected == 0 ? Is.Empty : Is.Not.Empty);
    }
}

using System.Text.Json.Nodes;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

public class OnionInspectCommandTests
{
    private string _file = "";

    [SetUp]
    public void WriteFile()
    {
        _file = Path.GetTempFileName();
        File.WriteAllText(_file, Instances.All[1].Text);
    }

    [TearDown]
    public void DeleteFile() => File.Delete(_file);

    /// <summary>Made years from now on: expired, and of a period that is not now's. What it holds is shown all the same.</summary>
    [Test]
    public async Task File_is_shown_with_its_problems()
    {
        string address = Instances.All[1].Address.ToString();
        var (code, output, error) = await CommandRun.OfAsync("onion", "inspect", _file, "--address", address, "--json");

        Assert.That((code, error), Is.EqualTo((0, "")).Or.EqualTo((1, "")));
        var descriptor = JsonNode.Parse(output)!["descriptor"]!;
        Assert.That(descriptor["revision_counter"]!.GetValue<ulong>(), Is.EqualTo(1001));
        Assert.That(descriptor["inner_layer"]!["flow_control"]!.GetValue<string>(), Is.EqualTo("1-2 31"));
        Assert.That(descriptor["inner_layer"]!["introduction_points"]!.AsArray(), Has.Count.EqualTo(3));
        Assert.That(code == 0, Is.EqualTo(descriptor["problems"]!.AsArray().Count == 0));
    }

    [Test]
    public async Task What_comes_from_others_does_not_reach_the_terminal_as_it_is()
    {
        File.WriteAllText(_file, "hs-descriptor 3\u001b[31m\ndescriptor-lifetime 180\n");

        var (code, output, _) = await CommandRun.OfAsync("onion", "inspect", _file);

        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.Contain("problems").And.Not.Contain("\u001b"));
    }

    [TestCase("nothing-of-the-kind", 2, "is no file, and no onion address")]
    [TestCase("2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wie.onion", 2, "a letter is wrong, or the checksum")]
    [TestCase("FILE --address x", 2, "--address x: a v3 onion address has")]
    [TestCase("FILE --directories", 2, "go with an address")]
    [TestCase("ADDRESS --control-port localhost:9051", 2, "neither IP:PORT nor unix:PATH")]
    [TestCase("ADDRESS --control-port 127.1:9051", 2, "neither IP:PORT nor unix:PATH")]
    [TestCase("ADDRESS --address ADDRESS", 2, "--address goes with a file")]
    [TestCase("ADDRESS --control-port unix:/nonexistent", 1, "cannot connect to the control port unix:/nonexistent")]
    public async Task What_cannot_be_is_said(string arguments, int expected, string problem)
    {
        string address = Instances.All[0].Address.ToString();
        string[] words = [.. arguments.Split(' ').Select(word => word == "FILE" ? _file : word == "ADDRESS" ? address : word)];

        var (code, output, error) = await CommandRun.OfAsync(["onion", "inspect", .. words]);

        Assert.That((code, output), Is.EqualTo((expected, "")));
        Assert.That(error, Does.StartWith("torbalancer onion inspect: ").And.Contain(problem));
    }

    [Test, CancelAfter(150_000)]
    public async Task Address_is_fetched_through_a_real_tor(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        string control = $"unix:{network.Workers[2].ControlPath}";

        var one = await CommandRun.OfAsync("onion", "inspect", network.OnionAddress, "--control-port", control);
        Assert.That((one.Code, one.Error), Is.EqualTo((0, "")), one.Output);
        Assert.That(one.Output, Does.Contain("problems            none").And.Match(@"flow-control +1-2 \d+"));

        var all = await CommandRun.OfAsync("onion", "inspect", network.OnionAddress, "--control-port", control, "--directories", "--json");
        var report = JsonNode.Parse(all.Output)!["directories"]!;
        TestContext.Out.WriteLine(all.Output.Length > 3000 ? all.Output[..3000] : all.Output);
        Assert.That(report["directories"]!.AsArray(), Has.Count.EqualTo(8));
        var given = report["directories"]!.AsArray().Where(static one => one!["descriptor"] is not null).ToArray();
        Assert.That(given, Has.Length.GreaterThanOrEqualTo(6), "a service that has just published may still be at it");
        Assert.That(
            given.Select(static one => one!["descriptor"]!["inner_layer"]!["flow_control"]!.GetValue<string>()).Distinct(),
            Has.Exactly(1).Items);
        token.ThrowIfCancellationRequested();
    }
}

using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>
/// A publisher's state with a tor that answers as the test says, and a clock by hand. Instances are services with keys of their own, whose
/// descriptors are made here.
/// </summary>
internal sealed class PublisherHarness
{
    private readonly List<IdentityKey> _keys = [];
    private readonly Dictionary<string, string> _published = new(StringComparer.Ordinal);

    public PublisherHarness(int instances, DescriptorSets sets = DescriptorSets.Auto, InstanceCheck? check = null)
    {
        Now = OnionVectors.BalancedNow;
        Service = new BalancedService(
            new OnionServiceOptions { Name = "shop", Descriptors = sets }, OnionVectors.BalancedIdentity,
            [.. Enumerable.Range(0, instances).Select(i => MakeInstance(i, check ?? InstanceCheck.None))]);
        State = new PublisherState([Service], Counters, NullLogger.Instance);
        State.Connected(isTestingNetwork: true);
        State.ConsensusRead(Consensus(24), null, Now);
    }

    public DateTimeOffset Now { get; set; }

    public PublishCounters Counters { get; } = new();

    public BalancedService Service { get; }

    public PublisherState State { get; }

    /// <summary>What the directories have for each of them, and each order in which they got it.</summary>
    public List<(string Directory, DescriptorVersion Version, string Text)> Taken { get; } = [];

    /// <summary>What a directory answers to an upload: UPLOADED, a REASON of FAILED, or null for silence. Default: UPLOADED.</summary>
    public Func<PublisherAction.Upload, string?> Directory { get; set; } = static _ => "UPLOADED";

    /// <summary>What a check of an instance finds. Default: it is alive.</summary>
    public Func<InstanceWatch, bool?> Check { get; set; } = static _ => true;

    /// <summary>Whether an instance's descriptor is found; null: tor says nothing. Default: it is.</summary>
    public Func<InstanceWatch, bool?> IsFound { get; set; } = static _ => true;

    /// <summary>A network of so many directories, live at the time of the vectors.</summary>
    /// <param name="first">Number of the first: other numbers are other directories.</param>
    public static NetworkConsensus Consensus(int directories, int first = 0)
    {
        var validAfter = new DateTimeOffset(2026, 11, 20, 9, 0, 0, TimeSpan.Zero);
        return new NetworkConsensus
        {
            ValidAfter = validAfter,
            FreshUntil = validAfter.AddHours(1),
            ValidUntil = validAfter.AddHours(3),
            Parameters = new Dictionary<string, long>(),
            CurrentSharedRandom = Place(1_000_001),
            PreviousSharedRandom = Place(1_000_000),
            Directories =
            [
                .. Enumerable.Range(first, directories)
                    .Select(static i => new DirectoryRelay(i.ToString("X40", CultureInfo.InvariantCulture), Place(i))),
            ],
            DirectoriesWithoutIdentity = 0,
        };
    }

    /// <summary>Lets the state decide and answers all that it asks, until it asks nothing more at this moment.</summary>
    public void Turn()
    {
        for (int i = 0; i < 50; i++)
        {
            var actions = State.Step(Now);
            if (actions.Count == 0)
                return;
            foreach (var action in actions)
                Answer(action);
        }

        Assert.Fail("it does not come to rest");
    }

    /// <summary>Lets time pass in steps of a second.</summary>
    public void Pass(TimeSpan span)
    {
        for (var end = Now + span; Now < end;)
        {
            Now = Now.AddSeconds(1);
            Turn();
        }
    }

    /// <summary>From nothing to both descriptors.</summary>
    public void Start()
    {
        Turn();
        Pass(TimeSpan.FromSeconds(10));
    }

    public void Tell(string hsDesc) => State.Handle(HsDescEvent.TryParse(hsDesc)!, Now);

    public void TellContent(OnionServiceAddress address, string descriptor)
    {
        string text = $"{address.Label} id {Place(1)}";
        State.Handle(HsDescContentEvent.TryParse(text, new ControlReplyLine(text, descriptor))!, Now);
    }

    /// <summary>A directory gives what an instance has published.</summary>
    public void TellPublished(InstanceWatch instance) => TellContent(instance.State.Address, _published[instance.State.Address.Label]);

    /// <summary>The introduction points in a descriptor of the service.</summary>
    public IReadOnlyList<IntroductionPoint> PointsOf(string text) =>
        OnionDescriptor.Read(text, Now, out _)!.Open(Service.Identity.Address, Now, out _)!.IntroductionPoints;

    /// <summary>The instance that an introduction point is of.</summary>
    public string InstanceOf(IntroductionPoint point) => Service.Instances.Single(one =>
        one.State.Content!.IntroductionPoints.Any(own => own.AuthenticationKey.Key == point.AuthenticationKey.Key)).State.Name;

    /// <summary>Gives an instance new introduction points, which the next fetch finds.</summary>
    public void Republish(InstanceWatch instance, int points = 3)
    {
        int index = Service.Instances.ToList().IndexOf(instance);
        _published[instance.State.Address.Label] = DescriptorOf(_keys[index], points);
    }

    private static Bytes32 Place(int number)
    {
        using var hash = new Sha3();
        return hash.Add((ulong)number).Finish();
    }

    private InstanceWatch MakeInstance(int index, InstanceCheck check)
    {
        byte[] seed = new byte[32];
        BitConverter.TryWriteBytes(seed, index + 1);
        var key = IdentityKey.FromSeed(seed);
        _keys.Add(key);
        _published[key.Address.Label] = DescriptorOf(key, 3);
        return new InstanceWatch("shop", new InstanceState($"n{index}", key.Address, 1), check, Now);
    }

    private string DescriptorOf(IdentityKey key, int points) => DescriptorBuilder.Build(
        key,
        new DescriptorDraft
        {
            Period = OnionVectors.BalancedPeriod,
            RevisionCounter = (ulong)Now.ToUnixTimeSeconds(),
            IntroductionPoints = Instances.Make(points),
            FlowControl = "1-2 31",
        },
        Now).Text;

    private void Answer(PublisherAction action)
    {
        switch (action)
        {
            case PublisherAction.Fetch fetch
                when Service.Instances.FirstOrDefault(one => one.State.Address.Label == fetch.Address) is { } one:
                bool? isFound = IsFound(one);
                if (isFound == true)
                    TellPublished(one);
                else if (isFound == false)
                    Tell($"FAILED {fetch.Address} NO_AUTH ${Place(2).ToString()[..40].ToUpperInvariant()} id REASON=NOT_FOUND");
                break;
            case PublisherAction.Fetch fetch:
                Tell($"FAILED {fetch.Address} NO_AUTH ${Place(3).ToString()[..40].ToUpperInvariant()} id REASON=NOT_FOUND");
                break;
            case PublisherAction.Upload upload:
                AnswerUpload(upload);
                break;
            case PublisherAction.Check check:
                State.Checked(check.Instance, Check(check.Instance), "as the test says", Now);
                break;
        }
    }

    private void AnswerUpload(PublisherAction.Upload upload)
    {
        string address = Service.Identity.Address.Label;
        switch (Directory(upload))
        {
            case null:
                break;
            case "UPLOADED":
                Taken.Add((upload.To.Fingerprint, upload.Version, upload.To.Text));
                Tell($"UPLOADED {address} UNKNOWN ${upload.To.Fingerprint}");
                break;
            case var reason:
                Tell($"FAILED {address} NO_AUTH ${upload.To.Fingerprint} id REASON={reason}");
                break;
        }
    }
}
